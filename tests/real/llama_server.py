"""llama.cpp's server by the flags of `llama-server`: the package that the tests install has the server, and no program of that name."""

import argparse
import threading

import xllamacpp

parser = argparse.ArgumentParser("llama-server", allow_abbrev=False)
parser.add_argument("-m", "--model", required=True)
parser.add_argument("-a", "--alias")
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=8080)
parser.add_argument("-c", "--ctx-size", type=int, default=0)
parser.add_argument("-np", "--parallel", type=int, default=1)
parser.add_argument("-t", "--threads", type=int, default=1)
parser.add_argument("--jinja", action="store_true")
given = parser.parse_args()

params = xllamacpp.CommonParams()
params.model.path, params.hostnames, params.port = given.model, [given.host], given.port
params.n_parallel, params.n_ctx, params.use_jinja, params.ui = given.parallel, given.ctx_size, given.jinja, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = given.threads
if given.alias:
    params.model_alias = {given.alias}
print("llama-server: listening", flush=True)
server = xllamacpp.Server(params)
threading.Event().wait()
