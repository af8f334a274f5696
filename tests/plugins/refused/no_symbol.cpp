// A shared library that is no plugin.
__attribute__((visibility("default"))) int somebody_elses_function();

int somebody_elses_function() {
  return 42;
}
