"""Handles are equal and hash alike when they name the same actor, also after they were passed on.

Numbers: H8
"""

import ray


@ray.remote
class Echo:
    def same(self, things):
        return things[0]


ray.init()
echo, other = Echo.remote(), Echo.remote()
back = ray.get(echo.same.remote([echo]))
print(back == echo, hash(back) == hash(echo), len({back, echo, other}))
print(back != other, echo == "echo")
print({echo: "one"}[back])
