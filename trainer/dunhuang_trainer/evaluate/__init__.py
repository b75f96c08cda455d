"""Judge restorations: what is judged, by which methods, and what the scores say."""
