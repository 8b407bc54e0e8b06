// What newer C++ headers reach for in the run-time libraries, defined here and hidden by src/exports.map, so that an older
// libstdc++ or libc serves as well. See glibc_floor.h.
#include <new>

extern "C" {
extern char transweld_libc_single_threaded;
char transweld_libc_single_threaded = 0;
}

#ifdef __GLIBCXX__
namespace std {
void __throw_bad_array_new_length() { throw bad_array_new_length(); }  // GLIBCXX_3.4.29 in libstdc++
}  // namespace std
#endif
