/* hello: a Proxy-Wasm filter in C on the raw ABI (version 0.2.1).
 *
 * For every HTTP request it logs the `authorization` header, marks the request with `x-wasm: c` and
 * lets it pass; when the stream is over it says goodbye. A real filter must never log credentials:
 * this one does, so that there is something to see.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* A Wasm module names what it takes from the host and what it offers to it. Without these two
 * attributes the linker would resolve the names itself, or throw away what nobody here calls. */
#define FROM_HOST(name) __attribute__((import_module("env"), import_name(#name))) name
#define TO_HOST(name) __attribute__((export_name(#name))) name

/* Strings cross the border as an address in our memory and a length: there is no terminating zero. */
#define TEXT(literal) (literal), (sizeof(literal) - 1)

enum { STATUS_OK = 0 };       /* what every host call returns when it went well */
enum { LEVEL_INFO = 2 };      /* trace, debug, info, warn, error, critical */
enum { REQUEST_HEADERS = 0 }; /* the first of eight header maps */
enum { CONTINUE = 0 };        /* hand the request to the next filter */
enum { YES = 1 };

/* ---- What we ask of the host ---- */

uint32_t FROM_HOST(proxy_log)(uint32_t level, const char *message, size_t size);
uint32_t FROM_HOST(proxy_get_header_map_value)(uint32_t map, const char *key, size_t key_size,
                                               char **value, size_t *value_size);
uint32_t FROM_HOST(proxy_add_header_map_value)(uint32_t map, const char *key, size_t key_size,
                                               const char *value, size_t value_size);

/* ---- What the host asks of us ---- */

/* Never called: the host looks for this name to learn which version of the ABI we speak. */
void TO_HOST(proxy_abi_version_0_2_1)(void) {}

/* The host cannot know which part of our memory is free, so it asks for a block before it hands over
 * a value. From then on the block is ours, and so is the duty to free it. */
void *TO_HOST(proxy_on_memory_allocate)(size_t size) { return malloc(size); }

/* A plugin begins as a root context (parent 0), is started, then configured. */
void TO_HOST(proxy_on_context_create)(uint32_t context, uint32_t parent) { (void)context, (void)parent; }

uint32_t TO_HOST(proxy_on_vm_start)(uint32_t root, uint32_t config_size) {
  (void)root, (void)config_size;
  return YES;
}

uint32_t TO_HOST(proxy_on_configure)(uint32_t root, uint32_t config_size) {
  (void)root, (void)config_size;
  return YES;
}

/* Each request is a stream context of its own. */
uint32_t TO_HOST(proxy_on_request_headers)(uint32_t stream, uint32_t count, uint32_t end_of_stream) {
  (void)stream, (void)count, (void)end_of_stream;

  char *value = NULL; /* an empty header comes without a block: it stays NULL */
  size_t size = 0;
  if (proxy_get_header_map_value(REQUEST_HEADERS, TEXT("authorization"), &value, &size) == STATUS_OK) {
    proxy_log(LEVEL_INFO, value, size);
    free(value); /* leave this out and every request makes the VM a little bigger, for ever */
  }
  proxy_add_header_map_value(REQUEST_HEADERS, TEXT("x-wasm"), TEXT("c"));
  return CONTINUE;
}

/* The stream is over: access-log time. */
void TO_HOST(proxy_on_log)(uint32_t stream) {
  (void)stream;
  proxy_log(LEVEL_INFO, TEXT("goodbye"));
}

/* Streams and, at shutdown, the root context end with these two. "Yes": nothing left to wait for. */
uint32_t TO_HOST(proxy_on_done)(uint32_t context) {
  (void)context;
  return YES;
}

void TO_HOST(proxy_on_delete)(uint32_t context) { (void)context; }
