"""What would a stent change? Spans, fast answers, the written comparison, the ranking."""
