"""From LLVM's relocatable BPF object to the executable that the SVM loads."""
