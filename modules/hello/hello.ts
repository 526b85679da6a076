// hello: a Proxy-Wasm filter in AssemblyScript on the raw ABI (version 0.2.1).
//
// For every HTTP request it logs the `authorization` header, marks the request with
// `x-wasm: assemblyscript` and lets it pass; when the stream is over it says goodbye. A real filter
// must never log credentials: this one does, so that there is something to see.
//
// The syntax is TypeScript's, the types are Wasm's: usize is an address or a size, u32 a plain number.

const STATUS_OK: u32 = 0; // what every host call returns when it went well
const LEVEL_INFO: u32 = 2; // trace, debug, info, warn, error, critical
const REQUEST_HEADERS: u32 = 0; // the first of eight header maps
const CONTINUE: u32 = 0; // hand the request to the next filter

// ---- What we ask of the host. Text crosses as an address in our memory and a length. ----

@external("env", "proxy_log")
declare function proxy_log(level: u32, message: usize, size: usize): u32;

@external("env", "proxy_get_header_map_value")
declare function proxy_get_header_map_value(map: u32, key: usize, keySize: usize, value: usize, valueSize: usize): u32;

@external("env", "proxy_add_header_map_value")
declare function proxy_add_header_map_value(map: u32, key: usize, keySize: usize, value: usize, valueSize: usize): u32;

// Strings are UTF-16 here, HTTP is bytes. Converting the constants once, when the module starts, keeps
// the conversion out of the requests.
const AUTHORIZATION = String.UTF8.encode("authorization");
const X_WASM = String.UTF8.encode("x-wasm");
const LANGUAGE = String.UTF8.encode("assemblyscript");
const GOODBYE = String.UTF8.encode("goodbye");

// An ArrayBuffer is a reference to its first byte, so its address is the reference itself.
function address(bytes: ArrayBuffer): usize {
  return changetype<usize>(bytes);
}

function logInfo(message: ArrayBuffer): void {
  proxy_log(LEVEL_INFO, address(message), message.byteLength);
}

// Two cells of fixed memory, into which the host writes where a value is and how long it is.
const VALUE = memory.data(8);
const VALUE_SIZE = VALUE + 4;

// The value of a request header, or null without one.
function requestHeader(name: ArrayBuffer): ArrayBuffer | null {
  if (proxy_get_header_map_value(REQUEST_HEADERS, address(name), name.byteLength, VALUE, VALUE_SIZE) != STATUS_OK) {
    return null;
  }
  if (load<u32>(VALUE_SIZE) == 0) return new ArrayBuffer(0); // an empty header comes without a block
  const block = load<u32>(VALUE);
  __unpin(block); // from now on the garbage collector looks after it
  return changetype<ArrayBuffer>(block);
}

function addRequestHeader(name: ArrayBuffer, value: ArrayBuffer): void {
  proxy_add_header_map_value(REQUEST_HEADERS, address(name), name.byteLength, address(value), value.byteLength);
}

// ---- What the host asks of us ----

// Never called: the host looks for this name to learn which version of the ABI we speak.
export function proxy_abi_version_0_2_1(): void {}

// The host cannot know which part of our memory is free, so it asks for a block before it hands over a
// value. We give it an ArrayBuffer, pinned: nothing of ours refers to it while the host fills it, and
// the garbage collector would take it.
export function proxy_on_memory_allocate(size: usize): usize {
  return __pin(address(new ArrayBuffer(<i32>size)));
}

// A plugin begins as a root context (parent 0), is started, then configured.
export function proxy_on_context_create(context: u32, parent: u32): void {}

export function proxy_on_vm_start(root: u32, configSize: u32): bool {
  return true;
}

export function proxy_on_configure(root: u32, configSize: u32): bool {
  return true;
}

// Each request is a stream context of its own.
export function proxy_on_request_headers(stream: u32, count: u32, endOfStream: bool): u32 {
  const authorization = requestHeader(AUTHORIZATION);
  if (authorization) logInfo(authorization);
  addRequestHeader(X_WASM, LANGUAGE);
  return CONTINUE;
}

// The stream is over: access-log time.
export function proxy_on_log(stream: u32): void {
  logInfo(GOODBYE);
}

// Streams and, at shutdown, the root context end with these two. True: nothing left to wait for.
export function proxy_on_done(context: u32): bool {
  return true;
}

export function proxy_on_delete(context: u32): void {}
