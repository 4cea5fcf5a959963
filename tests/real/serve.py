"""Serves for a test until its standard input ends: `serve.py llama MODEL PORT KEY CONTEXT PROMPTS`, `serve.py litellm CONFIG PORT`."""

import os
import sys
import threading


def llama(model, port, key, context, prompts):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.hostnames, params.port, params.api_keys = model, ["127.0.0.1"], int(port), [key]
    params.n_parallel, params.n_ctx = 4, 4 * int(context)
    # The folder in which the server keeps every prompt as it has read it.
    params.path_prompts_log_dir = prompts
    # More threads than free cores make it several times slower: they spin.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.use_jinja, params.ui = True, False
    server = xllamacpp.Server(params)
    threading.Event().wait()
    del server


def litellm(config, port):
    import litellm as proxy

    address = ["--host", "127.0.0.1", "--port", port]
    proxy.run_server(["--config", config, *address, "--num_workers", "1", "--telemetry", "False"])


def end_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
{"llama": llama, "litellm": litellm}[sys.argv[1]](*sys.argv[2:])
