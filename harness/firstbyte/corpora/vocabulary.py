"""Made-up words of thirteen languages, in nine scripts, and text drawn from them by Zipf's law.

The words are syllables of the language's letters, short ones more frequent, so lengths in
characters, bytes per character and repetition are like those of text. No real text is used.
"""
# ruff: noqa: RUF001 - letters that look alike in several scripts are the point here

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from firstbyte.corpora.draws import Draws, Integers, zipf_table

WORDS = 4096
"""Words of each language."""

_MAX_SYLLABLES = 4

_VOCABULARY_SEED = 20_201_030


@dataclass(frozen=True, slots=True)
class Language:
    """Where a syllable comes from, and how words and sentences end."""

    tag: str
    onsets: tuple[str, ...]
    nuclei: tuple[str, ...]
    space: str = " "
    stop: str = "."


def _language(tag: str, onsets: str, nuclei: str, space: str = " ", stop: str = ".") -> Language:
    return Language(tag, tuple(onsets.split()), tuple(nuclei.split()), space, stop)


_LATIN = "b c d f g h l m n p r s t v w"
_HAN = " ".join(chr(0x4E00 + 37 * i) for i in range(500))
_HANGUL = " ".join(chr(0xAC00 + 28 * i) for i in range(300))
_KANA = " ".join(chr(0x3041 + i) for i in range(1, 82))

LANGUAGES = (
    _language("en", f"{_LATIN} th sh st wh", "a e i o u ea er in on"),
    _language("de", f"{_LATIN} sch st z", "a e i o u ä ö ü ei en ß"),
    _language("fr", f"{_LATIN} j qu", "a e i o u é è ê ou ai ç"),
    _language("es", f"{_LATIN} ñ ll", "a e i o u á í ó ar os"),
    _language("pl", f"{_LATIN} sz cz ł ż", "a e i o y ą ę ó ów"),
    _language("tr", f"{_LATIN} ş ç ğ k", "a e ı i o ö u ü lar"),
    _language("ru", "б в г д ж з к л м н п р с т ч ш", "а е и о у ы я ов ст ий"),
    _language("el", "β γ δ θ κ λ μ ν π ρ σ τ φ χ", "α ε η ι ο υ ω ά έ ου"),
    _language("ar", "ب ت ج ح د ر س ش ع ف ق ك ل م ن", "ا و ي ة ال"),
    _language("hi", "क ख ग च ज त द न प ब म र ल व स ह", "ा ि ी ु े ो ं", stop="।"),
    _language("zh", _HAN, _HAN, space="", stop="。"),
    _language("ja", _KANA, f"{_KANA} の は を", space="", stop="。"),
    _language("ko", _HANGUL, f"{_HANGUL} 는 을 이"),
)

TAGS = tuple(language.tag for language in LANGUAGES)

_PLAIN, _FIRST, _END, _PARAGRAPH, _LAST = range(5)
"""Forms of a word: inside a sentence, opening it, closing it, closing a paragraph, closing all."""
_FORMS = 5


def text(
    draws: Draws, languages: Integers, lengths: Integers, *, sentences: bool
) -> tuple[pa.StringArray, pa.ListArray]:
    """Texts of the given lengths in words (>= 1) and languages (indices), and their token ids.

    With `sentences`, a text falls into sentences and paragraphs; without, it is one sentence.
    """
    total = int(lengths.sum())
    ends = np.cumsum(lengths)
    starts = ends - lengths
    ranks = _zipf()[draws.words16(total)].astype(np.int64)
    form = np.full(total, _PLAIN)
    if sentences:
        chance = draws.words16(total)
        form[chance < 65_536 // 16] = _END
        form[chance < 65_536 // 96] = _PARAGRAPH
        form[1:][form[:-1] >= _END] = _FIRST
    form[starts] = _FIRST
    form[ends - 1] = _LAST
    language = np.repeat(languages, lengths)
    words = _words().take(pa.array((language * _FORMS + form) * WORDS + ranks))
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    _, word_offsets, data = words.buffers()
    text_offsets = np.frombuffer(word_offsets, np.int32, total + 1)[offsets]
    texts = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(text_offsets.tobytes()), data)
    tokens = pa.array((language * WORDS + ranks).astype(np.int32))
    return texts, pa.ListArray.from_arrays(pa.array(offsets), tokens)


def word(language: int, ranks: Integers) -> pa.StringArray:
    """Single bare words of a language."""
    return _bare_words(language).take(pa.array(ranks))


@cache
def _zipf() -> npt.NDArray[np.uint16]:
    return zipf_table(WORDS)


@cache
def _words() -> pa.StringArray:
    """Every form of every word: index (language * forms + form) * WORDS + rank."""
    forms: list[str] = []
    for index, language in enumerate(LANGUAGES):
        bare = _bare_words(index).to_pylist()
        space, stop = language.space, language.stop
        forms += (word + space for word in bare)
        forms += (word.capitalize() + space for word in bare)
        forms += (word + stop + space for word in bare)
        forms += (word + stop + "\n\n" for word in bare)
        forms += (word + stop for word in bare)
    return pa.array(forms, pa.string())


@cache
def _bare_words(language: int) -> pa.StringArray:
    draws = Draws(_VOCABULARY_SEED, language)
    onsets, nuclei = LANGUAGES[language].onsets, LANGUAGES[language].nuclei
    first = draws.below(len(onsets), WORDS * _MAX_SYLLABLES).tolist()
    second = draws.below(len(nuclei), WORDS * _MAX_SYLLABLES).tolist()
    extra = draws.below(4, WORDS).tolist()
    words = []
    for rank in range(WORDS):
        syllables = 1 + (rank.bit_length() + extra[rank]) // 5
        begin = rank * _MAX_SYLLABLES
        chosen = range(begin, begin + syllables)
        words.append("".join(onsets[first[i]] + nuclei[second[i]] for i in chosen))
    return pa.array(words, pa.string())
