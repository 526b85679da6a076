// hello: a Proxy-Wasm filter in Go on the raw ABI (version 0.2.1).
//
// For every HTTP request it logs the authorization header, marks the request with "x-wasm: go" and
// lets it pass; when the stream is over it says goodbye. A real filter must never log credentials:
// this one does, so that there is something to see.
//
// The module carries Go's whole runtime, with its garbage collector: that is why it is a thousand
// times bigger than the others, and why it also asks the host for a clock and for random numbers.
package main

import "unsafe"

const (
	statusOK       uint32 = 0 // what every host call returns when it went well
	levelInfo      uint32 = 2 // trace, debug, info, warn, error, critical
	requestHeaders uint32 = 0 // the first of eight header maps
	actionContinue uint32 = 0 // hand the request to the next filter
)

// ---- What we ask of the host. A string crosses as an address in our memory and a length. ----

//go:wasmimport env proxy_log
func proxyLog(level uint32, message string) uint32

// The host writes an address and a size of 4 bytes each: cells of type uint32, because Go's own
// pointers are 8 bytes wide even where addresses have only 4.
//
//go:wasmimport env proxy_get_header_map_value
func proxyGetHeaderMapValue(headerMap uint32, key string, value, size *uint32) uint32

//go:wasmimport env proxy_add_header_map_value
func proxyAddHeaderMapValue(headerMap uint32, key, value string) uint32

// lent holds the blocks that the host is filling, by address. The host's address is only a number to
// the garbage collector: without this reference it would take a block away while it is being written.
var lent = map[uint32][]byte{}

// requestHeader returns the value of a request header, and whether there is such a header.
func requestHeader(name string) (string, bool) {
	var address, size uint32
	if proxyGetHeaderMapValue(requestHeaders, name, &address, &size) != statusOK {
		return "", false
	}
	block := lent[address] // nil for an empty header, which comes without a block
	delete(lent, address)
	return string(block), true
}

// ---- What the host asks of us ----

// Never called: the host looks for this name to learn which version of the ABI we speak.
//
//go:wasmexport proxy_abi_version_0_2_1
func abiVersion() {}

// The host cannot know which part of our memory is free, so it asks for a block before it hands over
// a value. It never asks for an empty one.
//
//go:wasmexport proxy_on_memory_allocate
func onMemoryAllocate(size uint32) *byte {
	block := make([]byte, size)
	lent[uint32(uintptr(unsafe.Pointer(&block[0])))] = block
	return &block[0]
}

// A plugin begins as a root context (parent 0), is started, then configured.
//
//go:wasmexport proxy_on_context_create
func onContextCreate(context, parent uint32) {}

//go:wasmexport proxy_on_vm_start
func onVMStart(root, configSize uint32) bool { return true }

//go:wasmexport proxy_on_configure
func onConfigure(root, configSize uint32) bool { return true }

// Each request is a stream context of its own.
//
//go:wasmexport proxy_on_request_headers
func onRequestHeaders(stream, count, endOfStream uint32) uint32 {
	if authorization, ok := requestHeader("authorization"); ok {
		proxyLog(levelInfo, authorization)
	}
	proxyAddHeaderMapValue(requestHeaders, "x-wasm", "go")
	return actionContinue
}

// The stream is over: access-log time.
//
//go:wasmexport proxy_on_log
func onLog(stream uint32) { proxyLog(levelInfo, "goodbye") }

// Streams and, at shutdown, the root context end with these two. True: nothing left to wait for.
//
//go:wasmexport proxy_on_done
func onDone(context uint32) bool { return true }

//go:wasmexport proxy_on_delete
func onDelete(context uint32) {}

// A module that is called from outside has no main program, but Go wants one.
func main() {}
