# The CPU backend as a static library that knows nothing of Node: transweld_cpu. The sources of `isa` once for each instruction
# set; the running chip chooses.

# name:lanes:flags, as in binding.gyp.
set(variants "baseline:4:")
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  list(APPEND variants
    "avx2:8:-march=x86-64-v3"
    "avxvnni:8:-march=x86-64-v3 -mavxvnni"
    "avx512:16:-march=x86-64-v4 -mprefer-vector-width=512"
    "avx512vnni:16:-march=x86-64-v4 -mavx512vnni -mavx512bf16 -mprefer-vector-width=512")
endif()

add_library(transweld_cpu STATIC ${cpu_sources})
target_include_directories(transweld_cpu PUBLIC src)
target_compile_options(transweld_cpu PRIVATE ${sanitizer})
foreach(variant IN LISTS variants)
  string(REGEX MATCH "^([^:]*):([^:]*):(.*)$" matched "${variant}")
  set(target isa_${CMAKE_MATCH_1})
  separate_arguments(flags UNIX_COMMAND "${CMAKE_MATCH_3}")
  add_library(${target} OBJECT ${isa_sources})
  target_include_directories(${target} PRIVATE src)
  target_compile_definitions(${target} PRIVATE TRANSWELD_ISA=${CMAKE_MATCH_1} TRANSWELD_LANES=${CMAKE_MATCH_2})
  target_compile_options(${target} PRIVATE ${flags} ${sanitizer})
  target_sources(transweld_cpu PRIVATE $<TARGET_OBJECTS:${target}>)
endforeach()
find_package(Threads REQUIRED)
target_link_libraries(transweld_cpu PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
