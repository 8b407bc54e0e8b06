// Included first in every file of a Linux build. A binary linked on a new system asks for the newest version of each libc
// symbol; this binds the names that glibc gave a new version after 2.28 (or moved between libraries in 2.34) to their
// oldest one, so that the addon loads wherever Node 20 runs. A name that a file does not use costs nothing.
#pragma once
#include <features.h>

#if defined(__GLIBC__)
#if defined(__x86_64__)
#define TRANSWELD_OLD_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define TRANSWELD_OLD_GLIBC "GLIBC_2.17"
#endif
#ifdef TRANSWELD_OLD_GLIBC
// 2.34: libdl and libpthread became part of libc.
__asm__(".symver dlopen,dlopen@" TRANSWELD_OLD_GLIBC);
__asm__(".symver dlsym,dlsym@" TRANSWELD_OLD_GLIBC);
__asm__(".symver dlerror,dlerror@" TRANSWELD_OLD_GLIBC);
__asm__(".symver dlclose,dlclose@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pthread_create,pthread_create@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pthread_join,pthread_join@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pthread_detach,pthread_detach@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pthread_once,pthread_once@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pthread_key_create,pthread_key_create@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pthread_getspecific,pthread_getspecific@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pthread_setspecific,pthread_setspecific@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pthread_mutex_trylock,pthread_mutex_trylock@" TRANSWELD_OLD_GLIBC);
// 2.29 (double) and 2.27 (float): versions without the wrapper that sets errno.
__asm__(".symver exp,exp@" TRANSWELD_OLD_GLIBC);
__asm__(".symver exp2,exp2@" TRANSWELD_OLD_GLIBC);
__asm__(".symver log,log@" TRANSWELD_OLD_GLIBC);
__asm__(".symver log2,log2@" TRANSWELD_OLD_GLIBC);
__asm__(".symver pow,pow@" TRANSWELD_OLD_GLIBC);
__asm__(".symver expf,expf@" TRANSWELD_OLD_GLIBC);
__asm__(".symver exp2f,exp2f@" TRANSWELD_OLD_GLIBC);
__asm__(".symver logf,logf@" TRANSWELD_OLD_GLIBC);
__asm__(".symver log2f,log2f@" TRANSWELD_OLD_GLIBC);
__asm__(".symver powf,powf@" TRANSWELD_OLD_GLIBC);
#endif
#endif

#ifdef __cplusplus
// libstdc++'s shared_ptr reads this libc variable to skip atomics; it exists since 2.32 only. Ours says "several threads".
#define __libc_single_threaded transweld_libc_single_threaded
#endif
