/* A way into a guest. Addresses are numbers: whoever makes one keeps alive what they are of. */
typedef struct {
    uintptr_t call;     /* wasmtime_func_call_unchecked */
    uintptr_t fuel;     /* wasmtime_context_get_fuel */
    uintptr_t context;  /* the store's */
    uintptr_t function; /* of the guest */
    uintptr_t slots;    /* its arguments, then its result */
    size_t count;       /* of slots */
    uintptr_t trap;     /* where a trap is put */
    uintptr_t overhead; /* where stands what is not the guest's of the fuel that is gone, in all */
    uintptr_t error;    /* of the last call, or 0 */
} crossing_t;

/* Calls; gives the fuel that would be left had only the guest burnt any, or -1 when the call ended badly. */
int64_t cross(crossing_t *way);
