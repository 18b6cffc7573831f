"""The use cases of a container engine: containers and images; knows no HTTP and no command line."""
