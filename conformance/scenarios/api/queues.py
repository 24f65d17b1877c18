"""Queue: put and get, full and empty, between processes.

Numbers: A8
"""

import ray
from ray.util.queue import Empty, Full, Queue


@ray.remote
class Consumer:
    def take(self, queue, number):
        return [queue.get(timeout=20) for _ in range(number)]


def raises(kind, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except kind:
        return True


ray.init()
queue = Queue(maxsize=2)
taken = Consumer.remote().take.remote(queue, 3)
for number in range(3):
    queue.put(number, timeout=20)
print(ray.get(taken), queue.empty(), queue.qsize(), len(queue))
queue.put_nowait_batch([1, 2])
print(queue.full(), raises(Full, queue.put_nowait, 3), raises(Full, queue.put, 3, timeout=0.1))
print(queue.get_nowait_batch(2), raises(Empty, queue.get_nowait), raises(Empty, queue.get, timeout=0.1))
queue.shutdown()
