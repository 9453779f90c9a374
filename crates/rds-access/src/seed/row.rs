//! A call transcription, made up from its id: the same in every database.

use std::fmt::Write as _;

use fastrand::Rng;
use seed::literal;

/// What is said in calls, by language.
const PHRASES: [(&str, &[&str]); 6] = [
    (
        "en-GB",
        &[
            "Good morning, how can I help you?",
            "I'd like to change the date of my delivery.",
            "The meter shows 4,217 kilowatt hours.",
            "Could you spell your surname for me, please?",
            "That's \"not what I ordered\", I'm afraid.",
            "Thank you for calling, goodbye.",
        ],
    ),
    (
        "de-DE",
        &[
            "Guten Tag, was kann ich für Sie tun?",
            "Meine Rechnung stimmt nicht, es fehlt die Gutschrift über 12,50 €.",
            "Größe und Straße habe ich geändert.",
            "Auf Wiederhören!",
        ],
    ),
    (
        "fr-FR",
        &[
            "Bonjour, à qui ai-je l'honneur ?",
            "J'ai été coupé, ça ne répondait plus.",
            "Très bien, c'est noté.",
            "Bonne journée à vous 🙂",
        ],
    ),
    (
        "uk-UA",
        &[
            "Доброго дня, чим можу допомогти?",
            "Я хочу скасувати замовлення.",
            "Дякую, до побачення.",
        ],
    ),
    (
        "ja-JP",
        &[
            "お電話ありがとうございます。",
            "住所を変更したいのですが。",
            "𠮷野家の近くです。",
            "失礼いたします。",
        ],
    ),
    (
        "ar-EG",
        &[
            "صباح الخير، كيف أساعدك؟",
            "أريد تغيير موعد التسليم.",
            "شكرا جزيلا.",
        ],
    ),
];

const AGENTS: [&str; 8] = [
    "Ada",
    "Björn",
    "Chloé",
    "Dāvids",
    "Emre",
    "Фаїна",
    "五郎",
    "Hana",
];

const SUMMARIES: [&str; 4] = [
    "Delivery moved to another day.",
    "Wrong invoice; credit note sent.",
    "Address changed.",
    "Order cancelled ❌",
];

/// Of so many calls, one has no summary.
const WITHOUT_SUMMARY: u64 = 4;

/// Adds the row of this id as a list of SQL literals in parentheses.
pub(crate) fn write_values(sql: &mut String, id: u64) {
    let mut random = Rng::with_seed(id);
    let (language, phrases) = PHRASES[random.usize(..PHRASES.len())];
    let mut text = String::new();
    for phrase in 0..random.usize(3..=5) {
        if phrase > 0 {
            text.push(' ');
        }
        text.push_str(phrases[random.usize(..phrases.len())]);
    }
    let agent = AGENTS[random.usize(..AGENTS.len())];
    let summary =
        (!id.is_multiple_of(WITHOUT_SUMMARY)).then(|| SUMMARIES[random.usize(..SUMMARIES.len())]);

    // Writing to a string does not fail.
    let _ = write!(sql, "({id},'{}',", uuid(&mut random));
    literal(sql, agent);
    let _ = write!(sql, ",'{language}','{}',", started_at(&mut random));
    let (milliseconds, confidence) = (random.u32(1_000..3_600_000), random.u32(5_000..=10_000));
    let _ = write!(
        sql,
        "{}.{:03},{}.{:04},",
        milliseconds / 1_000,
        milliseconds % 1_000,
        confidence / 10_000,
        confidence % 10_000
    );
    literal(sql, &text);
    sql.push(',');
    match summary {
        Some(summary) => literal(sql, summary),
        None => sql.push_str("NULL"),
    }
    sql.push(')');
}

/// A UUID of version 4.
fn uuid(random: &mut Rng) -> String {
    let bits = random.u128(..) & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// A moment in 2025. No day of a month has to be known for it.
fn started_at(random: &mut Rng) -> String {
    format!(
        "2025-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        random.u8(1..=12),
        random.u8(1..=28),
        random.u8(..24),
        random.u8(..60),
        random.u8(..60),
        random.u16(..1_000)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(id: u64) -> String {
        let mut sql = String::new();
        write_values(&mut sql, id);
        sql
    }

    #[test]
    fn a_row_is_the_same_whenever_it_is_made() {
        assert_eq!(values(7), values(7));
        assert_ne!(values(7)[2..], values(8)[2..]);
    }

    #[test]
    fn rows_have_every_kind_of_value_and_about_250_bytes() {
        let rows: Vec<String> = (1..=20_000).map(values).collect();
        let all = rows.concat();
        for part in ["NULL)", "I''d like", "für", "🙂", "𠮷", "Дякую", ",1.0000,"] {
            assert!(all.contains(part), "{part}");
        }
        let mean = all.len() / rows.len();
        assert!((200..350).contains(&mean), "{mean}");
    }

    #[test]
    fn a_uuid_bears_its_version() {
        let uuid = uuid(&mut Rng::with_seed(1));
        let parts: Vec<&str> = uuid.split('-').collect();
        assert_eq!(
            parts.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert!(
            parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']),
            "{uuid}"
        );
    }
}
