"""Markup in transcripts that is not speech: tags, entities, and events in brackets."""

import re
from html import unescape

MARKUP = re.compile(r"[<&\[({*]")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z\d]{1,31});")
TAG = re.compile(
    r"<(?:\|[^<>|]{1,64}\||v(?:\.[\w.]{1,40})?\s[^<>]{1,60}|/?\w[\w:.-]{0,40}(?:\s{1,3}[a-zA-Z-]{1,20}=[^<>]{0,100})?\s{0,3}/?)>"
)
"""`<COMMA>`, `<unk>`, `<i>`, `</font>`, `<v Ann>`, `<|en|>`, `<|0.00|>`: no space after `<`, so not `a < b`."""

BRACKETED = re.compile(r"(?<![\[({*])[\[({*]{1,3}+([^\[\](){}*]{1,60})[\])}*]{1,3}")
LAUGHED = re.compile(r"\[laughter-([^\[\]]+)\]", re.IGNORECASE)
STYLE = re.compile(r"\\[a-z].*", re.IGNORECASE)
TIME = re.compile(r"[\d:.,\s>-]*\d:\d[\d:.,\s>-]*")

EVENTS = frozenset(
    """
    applause beep beeps bell bells blank breath breathes breathing breaths chatter cheer cheering cheers chuckle
    chuckles chuckling clap clapping claps click clicks cough coughing coughs crosstalk cry crying exhale exhales eps
    gasp gasps giggle giggles groan groans hes hesitation humming inaudible incomprehensible indiscernible indistinct
    inhale inhales jingle laugh
    laughing laughs laughter lipsmack mumble mumbles mumbling music noise noises npnoise nps npz ns overlap pad pause
    ring ringing ringtone scream screaming sigh sighing sighs sil silence singing sneeze sneezes sniff sniffs sob
    sobbing sound sounds spn static sta throat tsk unclear unintelligible unk unknown whisper whispering whistle
    whistling yawn yawns
    applaus atmen geräusch geräusche gelächter husten lachen lacht musik rauschen räuspern seufzen stille
    unverständlich applaudissements bruit bruits inintelligible musique rire rires silence soupir toux
    aplausos ininteligible inaudible música musica respiración risa risas ruido silencio suspiro tos
    aplausos riso risos ruído silêncio applausi musica risate risata rumore silenzio sospiro tosse
    gelach applaus kuch lawaai muziek onverstaanbaar stilte śmiech smiech muzyka szum kaszel oklaski
    аплодисменты вздох вздыхает кашель музыка неразборчиво смех смеется смеётся тишина шум
    оплески музика сміх нерозбірливо müzik gülme gülüşmeler alkış gürültü öksürük sessizlik
    音楽 音乐 音樂 掌声 掌聲 笑 笑い 笑声 笑聲 拍手 噪音 雑音 咳嗽 沉默 沈黙 음악 박수 웃음 소음
    موسيقى ضحك تصفيق موسیقی خنده
    """.split()
)
"""Words for what is heard besides speech, in the languages in which captions name it."""

DETAILS = frozenset(
    """
    and audience audio baby background bad classical clears clearing crowd distant dog door dramatic ends foreground
    foreign gentle heavy in intro language lip loud lyrics no of off on only other outro phone playing quiet quietly
    soft softly speaker speaking speech start end starts suspenseful talking tense the upbeat voice voices human
    nonspeech vocalized smack cross talk
    """.split()
)
"""Words that describe an event beside a word that names it."""


def strip_markup(text: str) -> str:
    """Replace what is markup by a space: tags, HTML entities by their character, events and times in brackets."""
    if not MARKUP.search(text):
        return text
    if "&" in text:
        text = ENTITY.sub(lambda entity: unescape(entity[0]), text)
    if "<" in text:
        text = TAG.sub(" ", text)
    return BRACKETED.sub(spoken_part, text)


def spoken_part(match: re.Match[str]) -> str:
    """Return what brackets hold if it was spoken: the word in `[laughter-yes]`, as in Switchboard, or all of it."""
    if laughed := LAUGHED.fullmatch(match[0]):
        return f" {laughed[1]} "
    return " " if is_event(match[1], match[0][0]) else match[0]


def is_event(content: str, bracket: str) -> bool:
    """Return whether brackets hold the name of a sound, square ones a time, or braces a style of subtitles."""
    if (bracket == "[" and TIME.fullmatch(content)) or (bracket == "{" and STYLE.fullmatch(content)):
        return True
    words = [word for word in re.findall(r"[^\W_]+", content.casefold()) if not word.isdecimal()]
    return any(word in EVENTS for word in words) and all(word in EVENTS or word in DETAILS for word in words)
