import callboard as ray


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Counter:
    def __init__(self, start):
        self.value = start

    def add(self, amount):
        self.value += amount
        return self.value


def main():
    ray.init()
    counter = Counter.options(name="counter").remote(100)
    print(ray.get([counter.add.remote(n) for n in range(5)]))
    print(ray.get(ray.get_actor("counter").add.remote(32)))
    ray.shutdown()


if __name__ == "__main__":
    main()
