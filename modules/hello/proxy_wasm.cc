// The ABI side of proxy_wasm.h: host calls going out, callbacks coming in.
#include "proxy_wasm.h"

#include <map>
#include <new>
#include <utility>

// A Wasm module names what it takes from the host and what it offers to it.
#define FROM_HOST(name) __attribute__((import_module("env"), import_name(#name))) name
#define TO_HOST(name) __attribute__((export_name(#name))) name

namespace {

constexpr uint32_t kOk = 0;              // what every host call returns when it went well
constexpr uint32_t kRequestHeaders = 0;  // the first of eight header maps

// The host speaks of contexts by number; this is where the number becomes an object.
std::map<uint32_t, std::unique_ptr<proxy_wasm::Context>> streams;

// Root contexts are not in the map: every callback on them gets the defaults of the ABI.
proxy_wasm::Context *find(uint32_t id) {
  auto found = streams.find(id);
  return found == streams.end() ? nullptr : found->second.get();
}

}  // namespace

extern "C" {

// ---- What we ask of the host. Strings cross as an address in our memory and a length. ----

uint32_t FROM_HOST(proxy_log)(uint32_t level, const char *message, size_t size);
uint32_t FROM_HOST(proxy_get_header_map_value)(uint32_t map, const char *key, size_t key_size,
                                               char **value, size_t *value_size);
uint32_t FROM_HOST(proxy_add_header_map_value)(uint32_t map, const char *key, size_t key_size,
                                               const char *value, size_t value_size);

// ---- What the host asks of us ----

// Never called: the host looks for this name to learn which version of the ABI we speak.
void TO_HOST(proxy_abi_version_0_2_1)() {}

// The host asks for a block before it hands over a value; HostValue frees it.
void *TO_HOST(proxy_on_memory_allocate)(size_t size) { return std::malloc(size); }

void TO_HOST(proxy_on_context_create)(uint32_t context, uint32_t parent) {
  if (parent != 0) {  // parent 0: a root context, of which there is one for each plugin
    streams[context] = proxy_wasm::context_factory(context);
  }
}

uint32_t TO_HOST(proxy_on_vm_start)(uint32_t, uint32_t) { return true; }
uint32_t TO_HOST(proxy_on_configure)(uint32_t, uint32_t) { return true; }

uint32_t TO_HOST(proxy_on_request_headers)(uint32_t stream, uint32_t count, uint32_t end_of_stream) {
  using proxy_wasm::HeadersStatus;
  auto *context = find(stream);
  return std::to_underlying(context ? context->onRequestHeaders(count, end_of_stream != 0)
                                    : HeadersStatus::Continue);
}

void TO_HOST(proxy_on_log)(uint32_t stream) {
  if (auto *context = find(stream)) context->onLog();
}

uint32_t TO_HOST(proxy_on_done)(uint32_t id) {
  auto *context = find(id);
  return context ? context->onDone() : true;
}

void TO_HOST(proxy_on_delete)(uint32_t id) { streams.erase(id); }

}  // extern "C"

// The library's own operator new prints a message before it gives up. That would link in printf, which
// makes the module five times as big, and three WASI imports, which the host would have to serve.
void *operator new(size_t size) {
  if (void *block = std::malloc(size)) return block;
  __builtin_trap();
}
void operator delete(void *block) noexcept { std::free(block); }
void operator delete(void *block, size_t) noexcept { std::free(block); }

namespace proxy_wasm {

void log(LogLevel level, std::string_view message) {
  proxy_log(std::to_underlying(level), message.data(), message.size());
}

std::optional<HostValue> requestHeader(std::string_view name) {
  char *value = nullptr;  // an empty header comes without a block: it stays null
  size_t size = 0;
  if (proxy_get_header_map_value(kRequestHeaders, name.data(), name.size(), &value, &size) != kOk) {
    return std::nullopt;
  }
  return HostValue(value, size);
}

void addRequestHeader(std::string_view name, std::string_view value) {
  proxy_add_header_map_value(kRequestHeaders, name.data(), name.size(), value.data(), value.size());
}

}  // namespace proxy_wasm
