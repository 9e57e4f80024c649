/*
 * Preloaded into crun 1.8 only, and only where CAP_SYS_RESOURCE is missing: it insists on raising
 * RLIMIT_MEMLOCK before it loads the device program, although kernels since 5.11 no longer count that memory.
 */
#define _GNU_SOURCE
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	if (resource == RLIMIT_MEMLOCK)
		return 0;
	return (int)syscall(SYS_prlimit64, 0, resource, limit, NULL);
}
