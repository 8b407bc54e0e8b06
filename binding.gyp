# The CPU addon. Never part of the tarball: npm would run node-gyp on every install that finds this file.
# A name in both "cflags!" and "cflags" is left out, in silence: gyp applies exclusions after all merges.
# -Werror stands in cflags_cc because Node's own settings exclude it from cflags. -Wno-restrict: GCC 12 sees an overlap in
# std::string's operator+ that is none (GCC bug 105651).
{
  "variables": {
    "addon_sources": ["<!@(node -p \"JSON.parse(fs.readFileSync('sources.json')).addon.join(' ')\")"],
    "cpu_sources": ["<!@(node -p \"JSON.parse(fs.readFileSync('sources.json')).cpu.join(' ')\")"],
    "isa_sources": ["<!@(node -p \"JSON.parse(fs.readFileSync('sources.json')).isa.join(' ')\")"]
  },
  "target_defaults": {
    "include_dirs": ["src"],
    "cflags!": ["-fno-exceptions", "-Wno-unused-parameter"],
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
    "cflags": ["-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-Wno-psabi",
               "-ffp-contract=off", "-fno-math-errno"],
    "cflags_cc": ["-std=c++20", "-fvisibility-inlines-hidden", "-fexceptions", "-Werror", "-Wno-restrict", "-Wno-unknown-warning-option"],
    "configurations": { "Release": { "cflags": ["-g1"], "defines": ["NDEBUG"] } },
    "target_conditions": [["OS=='linux'", { "cflags": ["-include", "<(module_root_dir)/src/glibc_floor.h"] }]],
    "conditions": [["OS=='mac'", { "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20", "GCC_ENABLE_CPP_EXCEPTIONS": "YES", "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "12.0", "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off", "-fno-math-errno"] } }]]
  },
  "targets": [
    {
      "target_name": "transweld",
      "sources": ["<@(addon_sources)"],
      "dependencies": ["transweld_cpu"],
      "defines": ["NAPI_VERSION=9", "NAPI_CPP_EXCEPTIONS", "NODE_ADDON_API_CPP_EXCEPTIONS_ALL", "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED"],
      "conditions": [["OS=='linux'", {
        # A system include: warnings inside napi.h are not ours to mend.
        "cflags_cc": ["-isystem", "<!(node -p \"path.resolve(require('node-addon-api').include_dir)\")"],
        # nodelete: native threads may outlive the last environment that holds the module.
        "ldflags": ["-Wl,-z,nodelete", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,--gc-sections", "-Wl,--exclude-libs,ALL",
                    "-Wl,--version-script=<(module_root_dir)/src/exports.map"]
      }, {
        "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"]
      }]]
    },
    # The CPU backend, which knows nothing of Node.
    { "target_name": "transweld_cpu", "type": "static_library", "sources": ["<@(cpu_sources)"], "cflags": ["-fPIC"],
      "dependencies": ["isa_baseline"],
      "conditions": [["target_arch=='x64'", { "dependencies": ["isa_avx2", "isa_avxvnni", "isa_avx512", "isa_avx512vnni"] }]] },
    # The same sources once per instruction set; the running chip chooses at load.
    { "target_name": "isa_baseline", "type": "static_library", "sources": ["<@(isa_sources)"], "cflags": ["-fPIC"],
      "defines": ["TRANSWELD_ISA=baseline", "TRANSWELD_LANES=4"] }
  ],
  "conditions": [["target_arch=='x64'", { "targets": [
    { "target_name": "isa_avx2", "type": "static_library", "sources": ["<@(isa_sources)"],
      "cflags": ["-fPIC", "-march=x86-64-v3"],
      "defines": ["TRANSWELD_ISA=avx2", "TRANSWELD_LANES=8"] },
    { "target_name": "isa_avxvnni", "type": "static_library", "sources": ["<@(isa_sources)"],
      "cflags": ["-fPIC", "-march=x86-64-v3", "-mavxvnni"],
      "defines": ["TRANSWELD_ISA=avxvnni", "TRANSWELD_LANES=8"] },
    { "target_name": "isa_avx512", "type": "static_library", "sources": ["<@(isa_sources)"],
      "cflags": ["-fPIC", "-march=x86-64-v4", "-mprefer-vector-width=512"],
      "defines": ["TRANSWELD_ISA=avx512", "TRANSWELD_LANES=16"] },
    { "target_name": "isa_avx512vnni", "type": "static_library", "sources": ["<@(isa_sources)"],
      "cflags": ["-fPIC", "-march=x86-64-v4", "-mavx512vnni", "-mavx512bf16", "-mprefer-vector-width=512"],
      "defines": ["TRANSWELD_ISA=avx512vnni", "TRANSWELD_LANES=16"] }
  ] }]]
}
