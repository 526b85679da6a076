"""Parts of WebAssembly beyond 1.0, each with a small guest: who takes it, Envoy or meshsim?"""
