# Installs, builds the consumer and a renamed copy of plugin reference against what was installed, runs
# the program, and trains on the plugin with the installed command. Then the tree is moved, and the library
# that plugin cpu is built on made too old, and taken away.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " line)
    message(FATAL_ERROR "${line}\n${out}${err}exit status: ${status}")
  endif()
  set(out "${out}" PARENT_SCOPE)
endfunction()

set(prefix ${WORK}/prefix)
set(consumer ${WORK}/consumer)
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})

file(GLOB_RECURSE strays RELATIVE ${prefix} ${prefix}/*faulty*)
if(strays)
  message(FATAL_ERROR "installed, though for tests only: ${strays}")
endif()

if(NOT EXISTS ${prefix}/share/tenon/plugin.json)
  message(FATAL_ERROR "plugin.json is not installed")
endif()

# The copy is another plugin by name only.
file(COPY ${CMAKE_CURRENT_LIST_DIR}/consumer DESTINATION ${WORK})
file(GLOB originals ${SOURCE}/plugins/reference/*.cpp ${SOURCE}/plugins/reference/*.h)
foreach(original ${originals})
  get_filename_component(name ${original} NAME)
  file(READ ${original} text)
  string(REPLACE "reference" "renamed" text "${text}")
  file(WRITE ${consumer}/plugins/renamed/${name} "${text}")
endforeach()

set(flags "")
if(SANITIZE)
  set(flags -DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE})
endif()
run(${CMAKE_COMMAND} -S ${consumer} -B ${consumer}/build -G Ninja
  -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${prefix} ${flags})
run(${CMAKE_COMMAND} --build ${consumer}/build)

foreach(variable TENON_PLUGIN_PATH TENON_DEVICE TENON_TEST_DEVICES LD_LIBRARY_PATH)
  unset(ENV{${variable}})
endforeach()
run(${consumer}/build/program)
if(NOT out MATCHES "reference: 1 \\+ 2 = 3")
  message(FATAL_ERROR "the program printed:\n${out}")
endif()

run(${prefix}/bin/tenon train linear --device renamed
  --plugin ${consumer}/build/lib/tenon/plugins/tenon_plugin_renamed.so
  --data ${SOURCE}/examples/data/mpg.csv --target mpg --drop name --missing drop
  --epochs 2 --seed 0 --quiet --json -)
string(JSON device GET "${out}" device)
string(JSON r2 GET "${out}" metrics r2)
if(NOT device STREQUAL "renamed")
  message(FATAL_ERROR "trained on '${device}':\n${out}")
endif()

set(moved ${WORK}/moved)
file(RENAME ${prefix} ${moved})
set(cpu ${moved}/${LIBDIR}/tenon/plugins/tenon_plugin_cpu.so)
set(library ${moved}/${LIBDIR}/tenon/libdnnl.so.3)
if(NOT EXISTS ${cpu} OR NOT EXISTS ${library})
  return()  # built without it
endif()
run(${moved}/bin/tenon devices)
if(NOT out MATCHES "cpu +[0-9.]+ +loaded +${cpu}")
  message(FATAL_ERROR "plugin cpu does not load from a moved prefix:\n${out}")
endif()
run(ldd ${cpu})
if(NOT out MATCHES "libdnnl[^ ]* => [^ ]*${WORK}/moved/")
  message(FATAL_ERROR "plugin cpu does not take the library beside it:\n${out}")
endif()

function(expect_refusal what)
  run(${moved}/bin/tenon devices)
  string(FIND "${out}" "${what}" found)
  if(found EQUAL -1)
    message(FATAL_ERROR "expected '${what}' from:\n${out}")
  endif()
endfunction()

# All that the plugin calls, of version 3.0.
run(nm -D --undefined-only ${cpu})
string(REGEX MATCHALL "dnnl_[a-z0-9_]+" names "${out}")
set(old "struct Version { int major, minor, patch; const char* hash; unsigned a, b; };\nextern \"C\" {\n")
foreach(name ${names})
  if(NOT name STREQUAL "dnnl_version")
    string(APPEND old "void ${name}() {}\n")
  endif()
endforeach()
string(APPEND old "const Version* dnnl_version() { static const Version v{3, 0, 1, \"\", 0, 0}; return &v; }\n}\n")
file(WRITE ${WORK}/old.cpp "${old}")
file(REMOVE ${library})
run(${COMPILER} -shared -fPIC -Wl,-soname,libdnnl.so.3 -o ${library} ${WORK}/old.cpp)
expect_refusal("/libdnnl.so.3 is oneDNN 3.0; this plugin was built with 3.")
file(REMOVE ${library})
execute_process(COMMAND ldconfig -p OUTPUT_VARIABLE known ERROR_QUIET)
if(NOT known MATCHES "libdnnl.so.3")
  expect_refusal("libdnnl.so.3: cannot open shared object file")
endif()
