# The addon under a sanitizer: transweld.node. Headers come from two packages, no Node source tree is needed. A system include:
# warnings inside them are not ours to mend.
function(include_dir_of out package)
  execute_process(COMMAND node -p "path.resolve(require('${package}').include_dir)" WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}
    OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  set(${out} ${found} PARENT_SCOPE)
endfunction()
include_dir_of(napi_dir node-addon-api)
include_dir_of(node_dir node-api-headers)

add_library(transweld MODULE ${addon_sources})
target_include_directories(transweld SYSTEM PRIVATE ${napi_dir} ${node_dir})
target_compile_options(transweld PRIVATE ${sanitizer})
target_compile_definitions(transweld PRIVATE NAPI_VERSION=9 NAPI_CPP_EXCEPTIONS NODE_ADDON_API_CPP_EXCEPTIONS_ALL
  NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED BUILDING_NODE_EXTENSION)
target_link_libraries(transweld PRIVATE transweld_cpu)
# The threads of a sanitised run may outlive an environment as well: see binding.gyp.
target_link_options(transweld PRIVATE -Wl,-z,nodelete)
set_target_properties(transweld PROPERTIES PREFIX "" SUFFIX ".node" LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/$<CONFIG>")
