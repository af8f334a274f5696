# Installs, builds the consumer and a renamed copy of plugin reference against what was installed, runs
# the program, and trains on the plugin with the installed command.
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
