"""The embedded corpus: made-up actors with drawn faces and synthesized voices, laid out as RAVDESS is."""

from edge_aver.corpora.synthetic.clip import write_clip
from edge_aver.corpora.synthetic.generate import generate_corpus
from edge_aver.corpora.synthetic.singles import DrawnFaces, draw_faces

__all__ = ["DrawnFaces", "draw_faces", "generate_corpus", "write_clip"]
