"""What is concluded and kept: lesions, grades, `result.json`, the stages on disk."""
