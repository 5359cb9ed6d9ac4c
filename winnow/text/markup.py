"""Markup in transcripts that is not speech: tags, entities, and events in brackets."""

import re
from html import unescape

MARKUP = re.compile(r"[<&\[({*]")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z\d]{1,31});")
TAG = re.compile(r"<(?:\|[^<>|]{1,64}\||/?\w[\w:.-]{0,40}(?:\s{1,3}[a-zA-Z-]{1,20}=[^<>]{0,100})?\s{0,3}/?)>")
"""`<COMMA>`, `<unk>`, `<i>`, `</font>`, `<|en|>`, `<|0.00|>`: no space after `<`, so not `a < b`."""

BRACKETED = re.compile(r"(?<![\[({*])[\[({*]{1,3}+([^\[\](){}*]{1,60})[\])}*]{1,3}")
TIME = re.compile(r"[\d:.,\s>-]*\d:\d[\d:.,\s>-]*")

EVENTS = frozenset(
    """
    applause beep beeps bell bells blank breath breathes breathing breaths cheer cheering cheers chuckle chuckles
    chuckling clap clapping claps click clicks cough coughing coughs cry crying exhale exhales eps gasp gasps giggle
    giggles groan groans hes hesitation humming inaudible incomprehensible indiscernible inhale inhales jingle laugh
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
    and audience audio baby background bad clears clearing crowd distant dog door ends foreground foreign heavy in
    intro language lip loud lyrics no of off on only other outro phone playing quiet quietly soft softly speaker
    speaking speech start end starts talking the voice voices human nonspeech vocalized smack cross talk
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
    return BRACKETED.sub(lambda match: " " if is_event(match[1], match[0][0]) else match[0], text)


def is_event(content: str, bracket: str) -> bool:
    """Return whether brackets hold the name of a sound, or square ones a time, rather than words that were spoken."""
    words = re.findall(r"[^\W_]+", content.casefold())
    return (bracket == "[" and TIME.fullmatch(content) is not None) or (
        any(word in EVENTS for word in words) and all(word in EVENTS or word in DETAILS for word in words)
    )
