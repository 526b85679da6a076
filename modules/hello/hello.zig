//! hello: a Proxy-Wasm filter in Zig on the raw ABI (version 0.2.1).
//!
//! For every HTTP request it logs the `authorization` header, marks the request with `x-wasm: zig` and
//! lets it pass; when the stream is over it says goodbye. A real filter must never log credentials:
//! this one does, so that there is something to see.

const std = @import("std");

/// Grows the module's own memory when it needs room; no libc, no WASI.
const allocator = std.heap.wasm_allocator;

// The ABI's numbers, by name. A status may also be one that is not listed here: hence the `_`.
const Status = enum(u32) { ok = 0, _ };
const Level = enum(u32) { trace, debug, info, warn, err, critical };
const HeaderMap = enum(u32) { request_headers = 0 };
const Action = enum(u32) { @"continue" = 0, pause = 1 };

// ---- What we ask of the host. Strings cross as an address in our memory and a length. ----

extern "env" fn proxy_log(level: Level, message: [*]const u8, size: usize) Status;
extern "env" fn proxy_get_header_map_value(
    map: HeaderMap,
    key: [*]const u8,
    key_size: usize,
    value: *?[*]u8,
    value_size: *usize,
) Status;
extern "env" fn proxy_add_header_map_value(
    map: HeaderMap,
    key: [*]const u8,
    key_size: usize,
    value: [*]const u8,
    value_size: usize,
) Status;

fn logInfo(message: []const u8) void {
    _ = proxy_log(.info, message.ptr, message.len);
}

/// The value of a request header, or null without one. The caller frees it.
fn requestHeader(name: []const u8) ?[]u8 {
    var value: ?[*]u8 = null;
    var size: usize = 0;
    if (proxy_get_header_map_value(.request_headers, name.ptr, name.len, &value, &size) != .ok) return null;
    // An empty header comes without a block. Freeing an empty slice does nothing.
    return if (value) |block| block[0..size] else &.{};
}

fn addRequestHeader(name: []const u8, value: []const u8) void {
    _ = proxy_add_header_map_value(.request_headers, name.ptr, name.len, value.ptr, value.len);
}

// ---- What the host asks of us ----

/// Never called: the host looks for this name to learn which version of the ABI we speak.
export fn proxy_abi_version_0_2_1() void {}

/// The host cannot know which part of our memory is free, so it asks for a block before it hands over
/// a value. Null means "no room": the host call then fails, and the filter goes on without the value.
export fn proxy_on_memory_allocate(size: usize) ?[*]u8 {
    const block = allocator.alloc(u8, size) catch return null;
    return block.ptr;
}

// A plugin begins as a root context (parent 0), is started, then configured.
export fn proxy_on_context_create(context: u32, parent: u32) void {
    _ = .{ context, parent };
}

export fn proxy_on_vm_start(root: u32, config_size: u32) bool {
    _ = .{ root, config_size };
    return true;
}

export fn proxy_on_configure(root: u32, config_size: u32) bool {
    _ = .{ root, config_size };
    return true;
}

// Each request is a stream context of its own.
export fn proxy_on_request_headers(stream: u32, count: u32, end_of_stream: bool) Action {
    _ = .{ stream, count, end_of_stream };
    if (requestHeader("authorization")) |authorization| {
        defer allocator.free(authorization); // or every request would make the VM a little bigger
        logInfo(authorization);
    }
    addRequestHeader("x-wasm", "zig");
    return .@"continue";
}

// The stream is over: access-log time.
export fn proxy_on_log(stream: u32) void {
    _ = stream;
    logInfo("goodbye");
}

// Streams and, at shutdown, the root context end with these two. True: nothing left to wait for.
export fn proxy_on_done(context: u32) bool {
    _ = context;
    return true;
}

export fn proxy_on_delete(context: u32) void {
    _ = context;
}
