"""The command a RecBole user expects: python run_recbole_delta.py --model=… --dataset=…."""

from recbole_delta.cli.main import main

if __name__ == "__main__":
    main()
