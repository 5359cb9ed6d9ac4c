"""Phrases that recognizers write where nobody speaks, because they were trained on subtitles of films and videos.

The idea is the bag of hallucinations of Baranski et al. (2025, arXiv 2501.11378), who let Whisper transcribe sounds
without speech and counted what it wrote. The list has what users report most often, and only phrases that hardly anyone
says as an utterance of their own; add yours with `--filter.phrases`.
"""

import re
from functools import cache

from winnow.text.basic import basic, with_dots
from winnow.text.words import split_words

SUBTITLE_PHRASES = {
    "ar": ("شكرا على المشاهدة", "شكرا للمشاهدة", "اشتركوا في القناة"),
    "de": (
        "Untertitel der Amara.org-Community",
        "Untertitel von der Amara.org-Community",
        "Untertitelung aufgrund der Amara.org-Community",
        "Untertitel im Auftrag des ZDF",
        "Untertitel im Auftrag des ZDF für funk",
        "Untertitelung im Auftrag des ZDF",
        "Untertitelung des ZDF",
        "Vielen Dank fürs Zuschauen",
        "Danke fürs Zuschauen",
        "Bis zum nächsten Video",
    ),
    "en": (
        "Thank you for watching",
        "Thank you so much for watching",
        "Thank you very much for watching",
        "Thank you for watching this video",
        "Thanks for watching",
        "Thanks for watching this video",
        "Thanks for watching and I'll see you next time",
        "I'll see you in the next video",
        "See you in the next video",
        "See you next video",
        "Please subscribe",
        "Please subscribe to my channel",
        "Please like and subscribe",
        "Don't forget to subscribe",
        "Don't forget to like and subscribe",
        "Like and subscribe",
        "Subtitles by the Amara.org community",
        "Transcription by CastingWords",
        "Transcribed by https://otter.ai",
    ),
    "es": (
        "Subtítulos realizados por la comunidad de Amara.org",
        "Subtítulos por la comunidad de Amara.org",
        "Subtítulos en español de Amara.org",
        "Gracias por ver",
        "Gracias por ver el video",
        "Gracias por ver el vídeo",
        "Suscríbete al canal",
        "No olvides suscribirte",
    ),
    "fr": (
        "Sous-titres réalisés par la communauté d'Amara.org",
        "Sous-titres réalisés para la communauté d'Amara.org",
        "Sous-titres par la communauté d'Amara.org",
        "Sous-titres faits par la communauté d'Amara.org",
        "Sous-titrage Société Radio-Canada",
        "Merci d'avoir regardé",
        "Merci d'avoir regardé cette vidéo",
        "N'oubliez pas de vous abonner",
        "Abonnez-vous à la chaîne",
    ),
    "it": (
        "Sottotitoli creati dalla comunità Amara.org",
        "Sottotitoli e revisione a cura di QTSS",
        "Grazie per la visione",
        "Grazie per aver guardato il video",
        "Iscriviti al canale",
    ),
    "ja": (
        "ご視聴ありがとうございました",
        "ご視聴ありがとうございます",
        "最後までご視聴いただきありがとうございます",
        "チャンネル登録お願いします",
        "チャンネル登録よろしくお願いします",
        "次の動画でお会いしましょう",
    ),
    "ko": ("시청해주셔서 감사합니다", "시청해 주셔서 감사합니다", "구독과 좋아요 부탁드립니다"),
    "nl": (
        "Ondertitels ingediend door de Amara.org gemeenschap",
        "Ondertiteld door de Amara.org gemeenschap",
        "Ondertiteling door de Amara.org gemeenschap",
        "Bedankt voor het kijken",
    ),
    "pl": (
        "Napisy stworzone przez społeczność Amara.org",
        "Dziękuję za obejrzenie",
        "Dzięki za obejrzenie",
        "Dziękuję za oglądanie",
    ),
    "pt": (
        "Legendas pela comunidade Amara.org",
        "Obrigado por assistir",
        "Obrigada por assistir",
        "Inscreva-se no canal",
    ),
    "ru": ("Спасибо за просмотр", "Продолжение следует", "Подписывайтесь на канал", "Субтитры сделал DimaTorzok"),
    "tr": ("İzlediğiniz için teşekkür ederim", "İzlediğiniz için teşekkürler", "Abone olmayı unutmayın"),
    "uk": ("Дякую за перегляд", "Дякуємо за перегляд", "Підписуйтесь на канал"),
    "zh": (
        "谢谢观看",
        "感谢观看",
        "謝謝觀看",
        "感謝觀看",
        "字幕由Amara.org社区提供",
        "字幕由Amara.org社群提供",
        "请不吝点赞 订阅 转发 打赏支持明镜与点点栏目",
    ),
}
"""The phrases by language."""

LONGEST_TEXT = 500  # characters; a longer one repeats itself

YEAR = re.compile(r"\b(?:19|20)\d\d\b")  # after "Untertitelung des ZDF"


def is_subtitle_phrase(text: str) -> bool:
    """Tell whether a text has nothing but these phrases, of any language, whatever its case and punctuation."""
    rest = words_of(text) if len(text) <= LONGEST_TEXT else ""
    found = bool(rest)
    while rest and found:
        phrase = next((phrase for phrase in known_phrases() if rest == phrase or rest.startswith(f"{phrase} ")), "")
        found, rest = bool(phrase), rest[len(phrase) + 1 :]
    return found


@cache
def known_phrases() -> list[str]:
    """Return the phrases as they are compared, the longest first."""
    return sorted({words_of(phrase) for phrases in SUBTITLE_PHRASES.values() for phrase in phrases}, key=len)[::-1]


def words_of(text: str) -> str:
    """Return the words of a text, or its characters in a script without spaces, but no years."""
    return " ".join(split_words(YEAR.sub("", with_dots(basic(text)))))
