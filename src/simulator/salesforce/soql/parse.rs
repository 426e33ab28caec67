//! From text to a statement.

use chrono::{DateTime, NaiveDate};

use super::{Condition, Literal, Operator, SoqlError, Statement};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// Words, names, numbers, dates.
    Word(String),
    Text(String),
    Symbol(&'static str),
}

/// Parses a statement.
pub(in super::super) fn parse(soql: &str) -> Result<Statement, SoqlError> {
    let mut parser = Parser { tokens: tokens(soql)?, at: 0, depth: 0 };
    let statement = parser.statement()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected());
    }
    Ok(statement)
}

fn tokens(soql: &str) -> Result<Vec<(Token, usize)>, SoqlError> {
    const SYMBOLS: [&str; 11] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "*"];
    let mut tokens = Vec::new();
    let mut rest = soql;
    while let Some(first) = rest.chars().next() {
        let column = soql.len() - rest.len() + 1;
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
        } else if first == '\'' {
            let (text, after) = quoted(&rest[1..], column)?;
            tokens.push((Token::Text(text), column));
            rest = after;
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push((Token::Symbol(symbol), column));
            rest = &rest[symbol.len()..];
        } else {
            let end =
                rest.find(|letter: char| !(letter.is_alphanumeric() || "_.:+-".contains(letter))).unwrap_or(rest.len());
            if end == 0 {
                return Err(at(column, &format!("unexpected token: '{first}'")));
            }
            tokens.push((Token::Word(rest[..end].to_owned()), column));
            rest = &rest[end..];
        }
    }
    Ok(tokens)
}

fn quoted(rest: &str, column: usize) -> Result<(String, &str), SoqlError> {
    let mut text = String::new();
    let mut letters = rest.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '\'' => return Ok((text, &rest[index + 1..])),
            '\\' => match letters.next().map(|(_, escaped)| escaped) {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(escaped @ ('\'' | '"' | '\\')) => text.push(escaped),
                Some(escaped @ ('%' | '_')) => text.extend(['\\', escaped]),
                _ => return Err(at(column, "Illegal string literal")),
            },
            letter => text.push(letter),
        }
    }
    Err(at(column, "unexpected end of string literal"))
}

fn at(column: usize, message: &str) -> SoqlError {
    SoqlError::malformed(format!("ERROR at Row:1:Column:{column}\n{message}"))
}

/// Conditions nested deeper than this are too complicated.
const DEEPEST: usize = 50;

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn statement(&mut self) -> Result<Statement, SoqlError> {
        self.keyword("SELECT")?;
        let columns = self.columns()?;
        self.keyword("FROM")?;
        let object = self.word()?;
        let condition = if self.try_keyword("WHERE") { Some(self.condition()?) } else { None };
        let mut order = Vec::new();
        if self.try_keyword("ORDER") {
            self.keyword("BY")?;
            loop {
                let field = self.word()?;
                let descending = self.try_keyword("DESC");
                if !descending {
                    self.try_keyword("ASC");
                }
                if self.try_keyword("NULLS") && !self.try_keyword("FIRST") {
                    self.keyword("LAST")?;
                }
                order.push((field, descending));
                if !self.try_symbol(",") {
                    break;
                }
            }
        }
        let limit = if self.try_keyword("LIMIT") { Some(self.whole_number()?) } else { None };
        let offset = if self.try_keyword("OFFSET") { self.whole_number()? } else { 0 };
        Ok(Statement { columns, object, condition, order, limit, offset })
    }

    fn columns(&mut self) -> Result<Vec<String>, SoqlError> {
        let first = self.word()?;
        if first.eq_ignore_ascii_case("COUNT") && self.try_symbol("(") {
            self.symbol(")")?;
            return Ok(Vec::new());
        }
        let mut columns = vec![first];
        while self.try_symbol(",") {
            columns.push(self.word()?);
        }
        Ok(columns)
    }

    /// AND and OR may not be mixed without parentheses.
    fn condition(&mut self) -> Result<Condition, SoqlError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(SoqlError {
                code: "QUERY_TOO_COMPLICATED",
                message: "query is either selecting too many fields or the filter conditions are too complicated"
                    .to_owned(),
            });
        }
        let first = self.term()?;
        let mut terms = vec![first];
        let is_and = self.peek_keyword("AND");
        let is_or = self.peek_keyword("OR");
        let word = if is_and { "AND" } else { "OR" };
        if is_and || is_or {
            while self.try_keyword(word) {
                terms.push(self.term()?);
            }
        }
        self.depth -= 1;
        Ok(match (terms.len(), is_and) {
            (1, _) => terms.remove(0),
            (_, true) => Condition::And(terms),
            (_, false) => Condition::Or(terms),
        })
    }

    fn term(&mut self) -> Result<Condition, SoqlError> {
        if self.try_keyword("NOT") {
            self.depth += 1;
            if self.depth > DEEPEST {
                return Err(self.unexpected());
            }
            let negated = self.term()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(negated)));
        }
        if self.try_symbol("(") {
            let condition = self.condition()?;
            self.symbol(")")?;
            return Ok(condition);
        }
        let field = self.word()?;
        if self.try_keyword("IN") {
            return self.list(field, false);
        }
        if self.try_keyword("NOT") {
            self.keyword("IN")?;
            return self.list(field, true);
        }
        let operator = self.operator()?;
        let value = self.literal()?;
        Ok(Condition::Compare { field, operator, value })
    }

    fn list(&mut self, field: String, negated: bool) -> Result<Condition, SoqlError> {
        self.symbol("(")?;
        let mut values = vec![self.literal()?];
        while self.try_symbol(",") {
            values.push(self.literal()?);
        }
        self.symbol(")")?;
        Ok(Condition::In { field, values, negated })
    }

    fn operator(&mut self) -> Result<Operator, SoqlError> {
        const OPERATORS: [(&str, Operator); 7] = [
            ("=", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<>", Operator::NotEqual),
            ("<", Operator::Less),
            ("<=", Operator::LessOrEqual),
            (">", Operator::Greater),
            (">=", Operator::GreaterOrEqual),
        ];
        if self.try_keyword("LIKE") {
            return Ok(Operator::Like);
        }
        let found = OPERATORS.iter().find(|(symbol, _)| self.peek() == Some(&Token::Symbol(symbol)));
        let (_, operator) = found.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(*operator)
    }

    fn literal(&mut self) -> Result<Literal, SoqlError> {
        let literal = match self.peek() {
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Word(word)) => bare(word).ok_or_else(|| self.unexpected())?,
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(literal)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn peek_keyword(&self, keyword: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    fn try_keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek_keyword(keyword);
        self.at += usize::from(found);
        found
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), SoqlError> {
        if self.try_keyword(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn try_symbol(&mut self, symbol: &'static str) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: &'static str) -> Result<(), SoqlError> {
        if self.try_symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn word(&mut self) -> Result<String, SoqlError> {
        match self.peek() {
            Some(Token::Word(word)) if word.starts_with(|letter: char| letter.is_alphabetic()) => {
                let word = word.clone();
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn whole_number(&mut self) -> Result<usize, SoqlError> {
        let number = match self.peek() {
            Some(Token::Word(word)) => word.parse().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| self.unexpected())?;
        self.at += 1;
        Ok(number)
    }

    fn unexpected(&self) -> SoqlError {
        match self.tokens.get(self.at) {
            Some((Token::Word(word), column)) => at(*column, &format!("unexpected token: '{word}'")),
            Some((Token::Text(text), column)) => at(*column, &format!("unexpected token: '{text}'")),
            Some((Token::Symbol(symbol), column)) => at(*column, &format!("unexpected token: '{symbol}'")),
            None => SoqlError::malformed("unexpected token: '<EOF>'"),
        }
    }
}

fn bare(word: &str) -> Option<Literal> {
    if word.eq_ignore_ascii_case("null") {
        return Some(Literal::Null);
    }
    if let Ok(boolean) = word.to_ascii_lowercase().parse() {
        return Some(Literal::Boolean(boolean));
    }
    if let Ok(day) = word.parse::<NaiveDate>() {
        return Some(Literal::Date(day.to_string()));
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(word) {
        return Some(Literal::Instant(instant.timestamp_millis()));
    }
    word.parse().ok().filter(|number: &f64| number.is_finite()).map(Literal::Number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_statement_is_read() {
        let statement = parse(
            "select Id, Owner.Email from Account where SystemModstamp >= 2024-01-01T00:00:00Z and (Name like 'A%' or Phone = null) order by Name desc limit 5 offset 2",
        )
        .expect("a statement");
        assert_eq!(statement.columns, ["Id", "Owner.Email"]);
        assert_eq!((statement.limit, statement.offset), (Some(5), 2));
        assert!(matches!(statement.condition, Some(Condition::And(terms)) if terms.len() == 2));
    }

    #[test]
    fn what_is_malformed_names_its_place() {
        for (soql, part) in [
            ("SELECT", "<EOF>"),
            ("SELECT Id FROM", "<EOF>"),
            ("SELECT Id FROM Account WHERE", "<EOF>"),
            ("SELECT Id, FROM Account", "'Account'"),
            ("SELECT Id FROM Account WHERE Name = 'x", "string literal"),
            ("SELECT Id FROM Account WHERE a = 1 AND b = 2 OR c = 3", "'OR'"),
            ("SELECT Id FROM Account LIMIT x", "'x'"),
        ] {
            let error = parse(soql).expect_err(soql);
            assert_eq!(error.code, "MALFORMED_QUERY");
            assert!(error.message.contains(part), "{soql}: {}", error.message);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn no_text_makes_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), prefix in prop::sample::select(vec!["", "SELECT Id FROM Account WHERE "])) {
            let _ = parse(&format!("{prefix}{}", String::from_utf8_lossy(&bytes)));
        }
    }
}
