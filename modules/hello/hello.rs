//! hello: a Proxy-Wasm filter in Rust on the raw ABI (version 0.2.1).
//!
//! For every HTTP request it logs the `authorization` header, marks the request with `x-wasm: rust`
//! and lets it pass; when the stream is over it says goodbye. A real filter must never log
//! credentials: this one does, so that there is something to see.
//!
//! All `unsafe` code is in `host`: it turns addresses and lengths into slices and owned bytes, so that
//! the callbacks at the end are plain Rust.

mod host {
    use std::ptr;

    const OK: u32 = 0; // what every host call returns when it went well
    const INFO: u32 = 2; // trace, debug, info, warn, error, critical
    const REQUEST_HEADERS: u32 = 0; // the first of eight header maps

    #[link(wasm_import_module = "env")]
    extern "C" {
        fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
        fn proxy_get_header_map_value(
            map: u32,
            key: *const u8,
            key_size: usize,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
        fn proxy_add_header_map_value(
            map: u32,
            key: *const u8,
            key_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
    }

    pub fn log_info(message: &[u8]) {
        unsafe { proxy_log(INFO, message.as_ptr(), message.len()) };
    }

    /// The value of a request header. Bytes, not a `String`: nobody promises that it is UTF-8.
    pub fn request_header(name: &str) -> Option<Box<[u8]>> {
        let mut value = ptr::null_mut();
        let mut size = 0;
        let status = unsafe {
            proxy_get_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), &mut value, &mut size)
        };
        match status {
            OK if value.is_null() => Some(Box::default()), // an empty header comes without a block
            // The block that `proxy_on_memory_allocate` gave away. In a `Box` again, it has an owner,
            // and is freed when the owner goes out of scope.
            OK => Some(unsafe { Box::from_raw(ptr::slice_from_raw_parts_mut(value, size)) }),
            _ => None,
        }
    }

    pub fn add_request_header(name: &str, value: &str) {
        unsafe {
            proxy_add_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), value.as_ptr(), value.len())
        };
    }

    /// The host cannot know which part of our memory is free, so it asks for a block before it hands
    /// over a value. We give the block away here and take it back in `request_header`.
    #[no_mangle]
    extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
        Box::into_raw(vec![0; size].into_boxed_slice()).cast()
    }
}

/// What a filter answers to headers: hand the request on, or hold it.
#[repr(u32)]
pub enum Action {
    Continue = 0,
    Pause = 1,
}

/// Never called: the host looks for this name to learn which version of the ABI we speak.
#[no_mangle]
pub extern "C" fn proxy_abi_version_0_2_1() {}

// A plugin begins as a root context (parent 0), is started, then configured.
#[no_mangle]
pub extern "C" fn proxy_on_context_create(_context: u32, _parent: u32) {}

#[no_mangle]
pub extern "C" fn proxy_on_vm_start(_root: u32, _config_size: u32) -> bool {
    true
}

#[no_mangle]
pub extern "C" fn proxy_on_configure(_root: u32, _config_size: u32) -> bool {
    true
}

// Each request is a stream context of its own.
#[no_mangle]
pub extern "C" fn proxy_on_request_headers(_stream: u32, _count: u32, _end_of_stream: bool) -> Action {
    if let Some(authorization) = host::request_header("authorization") {
        host::log_info(&authorization);
    } // here `authorization` is dropped, and its block of memory is free again
    host::add_request_header("x-wasm", "rust");
    Action::Continue
}

// The stream is over: access-log time.
#[no_mangle]
pub extern "C" fn proxy_on_log(_stream: u32) {
    host::log_info(b"goodbye");
}

// Streams and, at shutdown, the root context end with these two. True: nothing left to wait for.
#[no_mangle]
pub extern "C" fn proxy_on_done(_context: u32) -> bool {
    true
}

#[no_mangle]
pub extern "C" fn proxy_on_delete(_context: u32) {}
