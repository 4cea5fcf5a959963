"""What a LiteLLM client costs: calls/s and CPU time per call, to compare with tests/benches/throughput.rs.

Run with the Python of the virtual environment that tests/real/install makes:
    python tests/benches/litellm_client.py BASE_URL [CALLS] [CONCURRENT] [MODEL]
"""

import asyncio
import os
import resource
import sys
import time

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
import litellm  # noqa: E402, after its setting

litellm.telemetry = False
litellm.suppress_debug_info = True
MESSAGES = [
    {"role": "system", "content": "Reply with one JSON object."},
    {"role": "user", "content": "Write the user's message of turn 1 of 2. " * 40},
]


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main(base_url, calls=1000, concurrent=64, model="test-model"):
    calls, concurrent = int(calls), int(concurrent)

    async def call():
        key = os.environ.get("OPENAI_API_KEY", "unused")
        await litellm.acompletion(
            model=f"openai/{model}", api_base=base_url, api_key=key, messages=MESSAGES, max_retries=0
        )

    async def worker(left):
        while left:
            left.pop()
            await call()

    await worker([None] * min(20, calls))  # imports and connections are not measured
    left = [None] * calls
    wall, cpu = time.perf_counter(), cpu_seconds()
    await asyncio.gather(*(worker(left) for _ in range(concurrent)))
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    figures = f"{calls / wall:.0f} calls/s, {cpu / calls * 1e6:.0f} us CPU per call"
    print(f"litellm {calls} calls, {concurrent} at a time: {figures}")


asyncio.run(main(*sys.argv[1:]))
