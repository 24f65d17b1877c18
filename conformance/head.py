"""Run a Ray until standard input ends: ``python head.py CPUS``, by an interpreter that has Ray. Prints its address."""

import sys

import ray

context = ray.init(num_cpus=int(sys.argv[1]), include_dashboard=True, log_to_driver=False)
sys.stdout.write(f"{context.address_info['gcs_address']}\n")
sys.stdout.flush()
sys.stdin.read()
ray.shutdown()
