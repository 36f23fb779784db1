"""`python -m worker` is `billing-worker`."""

from worker.cli import main

if __name__ == "__main__":
    main()
