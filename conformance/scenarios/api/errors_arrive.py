"""What a method raises arrives as its own class, with its attributes and its cause.

Numbers: A4
"""

import ray


class Refused(Exception):
    def __init__(self, code):
        super().__init__(f"refused with {code}")
        self.code = code


@ray.remote
class Desk:
    def ask(self, code):
        raise Refused(code)

    def divide(self, number):
        return 1 / number

    def alive(self):
        return True


ray.init()
desk = Desk.remote()
try:
    ray.get(desk.ask.remote(7))
except Refused as error:
    print(type(error).__name__, error.code, isinstance(error, ray.exceptions.RayTaskError))
    print(type(error.cause).__name__, error.cause.code, error.args == (error.cause,))
    print("the text has it:", "Refused: refused with 7" in str(error))
try:
    ray.get(desk.divide.remote(0))
except ZeroDivisionError as error:
    print(type(error).__name__, [kind.__name__ for kind in type(error).__mro__[:3]])
print("the actor lives:", ray.get(desk.alive.remote()))
