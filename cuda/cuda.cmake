# The CUDA backend: transweld_cuda.so with one exported symbol. Machine code for sm_80, sm_90a, sm_100 and sm_120, and PTX of
# compute_80 which the driver compiles for every other GPU from 8.0 on. NVIDIA's runtime library is linked in and opens the driver
# itself: the file loads where there is none, and says so when it is asked for devices.
#
# It loads on systems older than the one it is built on: it is linked twice. The first link shows which symbols of the C library
# got a new version since; floor.sh makes a jump to the old version of each, and the second link takes those.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90a-real 100-real 120-real 80-virtual)
endif()
set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "nvcc 13 or newer is needed, ${CMAKE_CUDA_COMPILER} is ${CMAKE_CUDA_COMPILER_VERSION}")
endif()

# -fmad=false: a product and a sum are one instruction where the source says fmaf, and nowhere else. What ptxas says of registers
# and spills is kept beside each object (NAME.o.usage), where test/laws/cuda.test.ts reads it.
add_library(cuda_objects OBJECT ${cuda_sources})
target_compile_options(cuda_objects PRIVATE -fmad=false -compress-mode=size -Werror=all-warnings -Xptxas=-v
  -Xcompiler=-Wall,-Wextra,-Werror,-ffunction-sections,-fdata-sections,-ffp-contract=off)
set_target_properties(cuda_objects PROPERTIES CUDA_VISIBILITY_PRESET hidden
  CUDA_COMPILER_LAUNCHER "sh;${PROJECT_SOURCE_DIR}/cuda/keep_usage.sh")

function(add_cuda_library target folder)
  add_library(${target} MODULE $<TARGET_OBJECTS:cuda_objects> ${ARGN})
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX ".so" LINKER_LANGUAGE CUDA LIBRARY_OUTPUT_DIRECTORY "${folder}"
    LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cuda/exports.map)
  target_link_options(${target} PRIVATE -Wl,--version-script=${PROJECT_SOURCE_DIR}/cuda/exports.map -Wl,--exclude-libs,ALL
    -Wl,--gc-sections -Wl,-z,defs -Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete)
endfunction()

set(floor ${CMAKE_BINARY_DIR}/floor)
add_cuda_library(transweld_cuda_unfloored ${floor})
add_custom_command(OUTPUT ${floor}/jumps.cc ${floor}/wraps.txt
  COMMAND ${CMAKE_COMMAND} -E env CXX=${CMAKE_CXX_COMPILER} sh ${PROJECT_SOURCE_DIR}/cuda/floor.sh
    $<TARGET_FILE:transweld_cuda_unfloored> ${floor}/jumps.cc ${floor}/wraps.txt
  DEPENDS transweld_cuda_unfloored cuda/floor.sh VERBATIM)
add_cuda_library(transweld_cuda "${CMAKE_BINARY_DIR}/$<CONFIG>" ${floor}/jumps.cc)
set_property(TARGET transweld_cuda APPEND PROPERTY LINK_DEPENDS ${floor}/wraps.txt)
# The three libraries are where those symbols lived before glibc 2.34.
target_link_options(transweld_cuda PRIVATE @${floor}/wraps.txt
  -Wl,--no-as-needed -l:libpthread.so.0 -l:libdl.so.2 -l:librt.so.1 -Wl,--as-needed)
