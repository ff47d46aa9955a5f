# `cmake --install`: programs, librayc with its pkg-config file and CMake package, examples.
