"""Inheritance, static and class methods, properties, slots, dataclasses and generics make actors.

Numbers: A2
"""

import abc
import dataclasses
import typing

import ray
from stagehand import outcome


class Base:
    def name(self):
        return type(self).__name__

    def greet(self):
        return f"{self.name()} of the base"


@ray.remote
class Derived(Base):
    def greet(self):
        return f"derived, {super().greet()}"

    @staticmethod
    def static(number):
        return number + 1

    @classmethod
    def of_class(cls):
        return cls.__name__


class Slotted:
    __slots__ = ("value",)

    def __init__(self, value):
        self.value = value

    def get(self):
        return self.value


@dataclasses.dataclass
class Data:
    value: int = 7

    def get(self):
        return self.value


class Box(typing.Generic[typing.TypeVar("T")]):
    def get(self):
        return "boxed"


class Abstract(abc.ABC):
    @abc.abstractmethod
    def get(self): ...


ray.init()
derived = Derived.remote()
print(ray.get([derived.name.remote(), derived.greet.remote(), derived.static.remote(1), derived.of_class.remote()]))
print(ray.get(ray.remote(Slotted).remote(5).get.remote()), ray.get(ray.remote(Data).remote().get.remote()))
print(ray.get(ray.remote(Box).remote().get.remote()))
print("abstract:", outcome(lambda: ray.remote(Abstract).remote()))


def inherit():
    class More(Derived):
        pass


print("of an actor class:", outcome(inherit))
