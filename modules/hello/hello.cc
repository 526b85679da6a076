// hello: a Proxy-Wasm filter in C++, as a class.
//
// For every HTTP request it logs the `authorization` header, marks the request with `x-wasm: cpp` and
// lets it pass; when the stream is over it says goodbye. A real filter must never log credentials:
// this one does, so that there is something to see.
//
// The ABI knows only functions and numbers. proxy_wasm.h turns them into objects: it makes one
// HelloContext for each HTTP stream, calls its methods, and deletes it when the stream is gone.
#include "proxy_wasm.h"

using namespace proxy_wasm;

class HelloContext : public Context {
 public:
  using Context::Context;

  HeadersStatus onRequestHeaders(uint32_t, bool) override {
    if (auto authorization = requestHeader("authorization")) {
      log(LogLevel::Info, authorization->view());
    }  // here the value goes out of scope, and its block of memory is free again
    addRequestHeader("x-wasm", "cpp");
    return HeadersStatus::Continue;
  }

  void onLog() override { log(LogLevel::Info, "goodbye"); }
};

// Nobody calls into this file. A static object's constructor runs when the module is initialised,
// before the first callback: that is how the class makes itself known.
static RegisterContext<HelloContext> hello;
