"""An actor that cleans up when its last handle is gone."""

import os
import tempfile
import threading
from pathlib import Path

import callboard as ray


@ray.remote
class FileProcessorActor:
    def __init__(self):
        handle, name = tempfile.mkstemp(suffix=".log")
        os.close(handle)
        self.temp_file = Path(name)
        self.processed_items = []

    def path(self):
        return self.temp_file

    def process_item(self, item):
        self.processed_items.append(item)
        with self.temp_file.open("a") as file:
            file.write(f"Processed: {item}\n")
        return f"Processed {item}, {len(self.processed_items)} so far"

    def __ray_shutdown__(self):
        self.temp_file.unlink()


def main():
    ray.init()
    actor = FileProcessorActor.remote()
    path = ray.get(actor.path.remote())
    for item in ("item1", "item2", "item3"):
        print(ray.get(actor.process_item.remote(item)))
    print("The file is there:", path.exists())

    # The last handle goes: what was called before still runs, then `__ray_shutdown__`.
    del actor
    pause = threading.Event()
    for _ in range(1000):
        if not path.exists() or pause.wait(0.01):
            break
    print("The file is there:", path.exists())

    ray.shutdown()


if __name__ == "__main__":
    main()
