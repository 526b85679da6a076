// A small C++ face for the Proxy-Wasm ABI 0.2.1: derive from Context, override the callbacks that
// matter, register the class with one static object. The ABI itself stays in proxy_wasm.cc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string_view>

namespace proxy_wasm {

// The numbers are the ABI's own.
enum class LogLevel : uint32_t { Trace, Debug, Info, Warn, Error, Critical };
enum class HeadersStatus : uint32_t { Continue = 0, StopIteration = 1 };

// A value that the host has put into our memory. The block came from malloc and belongs to us, so it
// is freed with this object: a filter cannot leak it, nor use it longer than it lives.
class HostValue {
 public:
  HostValue(char *data, size_t size) : data_(data), size_(size) {}
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(char *data) const { std::free(data); }
  };
  std::unique_ptr<char, Free> data_;
  size_t size_;
};

// What a filter asks of the host. They concern the stream whose callback is running.
void log(LogLevel level, std::string_view message);
std::optional<HostValue> requestHeader(std::string_view name);  // empty when there is no such header
void addRequestHeader(std::string_view name, std::string_view value);

// One HTTP stream. The defaults let everything pass, so a filter overrides only what it cares about.
class Context {
 public:
  explicit Context(uint32_t id) : id_(id) {}
  virtual ~Context() = default;
  Context(const Context &) = delete;
  Context &operator=(const Context &) = delete;

  uint32_t id() const { return id_; }

  virtual HeadersStatus onRequestHeaders(uint32_t /*count*/, bool /*end_of_stream*/) {
    return HeadersStatus::Continue;
  }
  virtual void onLog() {}                  // the stream is over: access-log time
  virtual bool onDone() { return true; }   // true: nothing left to wait for

 private:
  const uint32_t id_;
};

// How to make a context. A pointer that starts as a constant, and so is in place before any static
// constructor runs, whichever file that is in.
using ContextFactory = std::unique_ptr<Context> (*)(uint32_t id);
inline constinit ContextFactory context_factory = nullptr;

template <class T>
struct RegisterContext {
  RegisterContext() {
    context_factory = [](uint32_t id) -> std::unique_ptr<Context> { return std::make_unique<T>(id); };
  }
};

}  // namespace proxy_wasm
