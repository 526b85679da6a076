/* Compiled by hatch_build.py into meshsim.wasm._crossing; meshsim/wasm/crossing.py does the same in Python. */
#include <stddef.h>
#include <stdint.h>

#include "crossing.h"

typedef uintptr_t (*call_t)(uintptr_t context, uintptr_t function, uintptr_t slots, size_t count, uintptr_t trap);
typedef uintptr_t (*fuel_t)(uintptr_t context, uint64_t *fuel);

int64_t cross(crossing_t *way)
{
    uint64_t fuel = 0;
    way->error = ((call_t)way->call)(way->context, way->function, way->slots, way->count, way->trap);
    if (way->error || *(uintptr_t *)way->trap)
        return -1;
    ((fuel_t)way->fuel)(way->context, &fuel);
    return (int64_t)(fuel + *(uint64_t *)way->overhead);
}
