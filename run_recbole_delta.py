"""The command a RecBole user expects: python run_recbole_delta.py --model=… --dataset=…."""

from recbole_delta_command.main import main

if __name__ == "__main__":
    main()
