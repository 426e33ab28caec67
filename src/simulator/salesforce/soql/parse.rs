//! From text to a statement.

use super::super::security::FieldSet;
use super::dates::DatePart;
use super::{
    Condition, Function, Item, LONGEST, Literal, MOST_SKIPPED, Operator, Order, Path, SoqlError, Statement, TypeOf,
    Wrap,
};
use super::{literals, tokens};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// Words, names, numbers, dates.
    Word(String),
    Text(String),
    Symbol(&'static str),
}

/// Parses a statement.
pub(in super::super) fn parse(soql: &str) -> Result<Statement, SoqlError> {
    if soql.chars().count() > LONGEST {
        return Err(SoqlError::malformed(format!("SOQL statements cannot be longer than {LONGEST} characters.")));
    }
    let mut parser = Parser { soql, tokens: tokens::tokens(soql)?, at: 0, depth: 0, semi_joins: 0 };
    let statement = parser.statement()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected());
    }
    Ok(statement)
}

pub(super) fn at(soql: &str, offset: usize, message: &str) -> SoqlError {
    SoqlError::at("MALFORMED_QUERY", soql, offset, message)
}

/// Conditions nested deeper than this are too complicated.
const DEEPEST: usize = 50;

/// Sub-selects that conditions may have (dossier 2.4).
const MOST_SEMI_JOINS: usize = 2;

/// Words that end a table's alias.
const CLAUSES: [&str; 9] = ["WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "WITH", "FOR", "USING"];

struct Parser<'s> {
    soql: &'s str,
    tokens: Vec<(Token, usize)>,
    at: usize,
    depth: usize,
    semi_joins: usize,
}

impl Parser<'_> {
    fn statement(&mut self) -> Result<Statement, SoqlError> {
        self.keyword("SELECT")?;
        let items = self.items()?;
        self.keyword("FROM")?;
        let object = self.path()?;
        let alias = self.alias(&CLAUSES)?;
        if self.try_keyword("USING") {
            self.keyword("SCOPE")?;
            self.path()?;
        }
        let condition = if self.try_keyword("WHERE") { Some(self.condition()?) } else { None };
        if self.try_keyword("WITH") && !self.try_keyword("SECURITY_ENFORCED") && !self.try_keyword("SYSTEM_MODE") {
            self.keyword("USER_MODE")?;
        }
        let mut group = Vec::new();
        if self.try_keyword("GROUP") {
            self.keyword("BY")?;
            group.push(self.wrapped()?);
            while self.try_symbol(",") {
                group.push(self.wrapped()?);
            }
        }
        let having = if self.try_keyword("HAVING") { Some(self.condition()?) } else { None };
        let order = self.order()?;
        let limit = if self.try_keyword("LIMIT") { Some(self.whole_number()?) } else { None };
        let offset = if self.try_keyword("OFFSET") { self.whole_number()? } else { 0 };
        if offset > MOST_SKIPPED {
            let message = format!("Maximum SOQL offset allowed is {MOST_SKIPPED}");
            return Err(SoqlError { code: "NUMBER_OUTSIDE_VALID_RANGE", message });
        }
        if self.try_keyword("FOR") && !self.try_keyword("VIEW") {
            self.keyword("REFERENCE")?;
        }
        let source = self.soql.to_owned();
        Ok(Statement {
            source,
            items,
            object,
            alias,
            condition,
            group,
            having,
            order,
            limit,
            offset,
            hidden: FieldSet::default(),
        })
    }

    fn order(&mut self) -> Result<Vec<Order>, SoqlError> {
        let mut order = Vec::new();
        if !self.try_keyword("ORDER") {
            return Ok(order);
        }
        self.keyword("BY")?;
        loop {
            let path = self.wrapped()?;
            let descending = self.try_keyword("DESC");
            if !descending {
                self.try_keyword("ASC");
            }
            let mut nulls_last = false;
            if self.try_keyword("NULLS") {
                nulls_last = !self.try_keyword("FIRST");
                if nulls_last {
                    self.keyword("LAST")?;
                }
            }
            order.push(Order { path, descending, nulls_last });
            if !self.try_symbol(",") {
                return Ok(order);
            }
        }
    }

    fn items(&mut self) -> Result<Vec<Item>, SoqlError> {
        let mut items = Vec::new();
        loop {
            match self.item()? {
                Some(item) => items.push(item),
                // `COUNT()` stands alone.
                None if items.is_empty() && !self.try_symbol(",") => return Ok(items),
                None => return Err(self.unexpected()),
            }
            if !self.try_symbol(",") {
                return Ok(items);
            }
        }
    }

    fn item(&mut self) -> Result<Option<Item>, SoqlError> {
        if self.try_symbol("(") {
            self.deeper()?;
            let statement = self.statement()?;
            self.depth -= 1;
            self.symbol(")")?;
            return Ok(Some(Item::Children(Box::new(statement))));
        }
        if self.peek_keyword("TYPEOF") && !matches!(self.tokens.get(self.at + 1), Some((Token::Symbol(_), _))) {
            return self.type_of().map(Some);
        }
        let before = self.at;
        let path = self.path()?;
        if !self.try_symbol("(") {
            // Only what is grouped by may have another name: elsewhere it is refused like what is not grouped by.
            let alias = if path.text.eq_ignore_ascii_case("FROM") { None } else { self.alias(&["FROM"])? };
            return Ok(Some(match alias {
                None => Item::Field(path),
                alias => Item::Aggregate { function: None, path, alias },
            }));
        }
        match path.text.to_ascii_uppercase().as_str() {
            "FIELDS" => {
                let kind = self.path()?;
                self.symbol(")")?;
                return Ok(Some(Item::Fields(kind)));
            }
            "COUNT" if self.try_symbol(")") => return Ok(None),
            name @ ("TOLABEL" | "FORMAT" | "CONVERTCURRENCY") => {
                let formatted = name == "FORMAT";
                let path = self.path()?;
                self.symbol(")")?;
                let alias = self.alias(&["FROM"])?;
                return Ok(Some(Item::Shown { path, alias, formatted }));
            }
            _ => self.at = before,
        }
        let path = self.wrapped()?;
        let alias = self.alias(&["FROM"])?;
        Ok(Some(match path.wrap {
            Some(Wrap::Aggregate(function)) => Item::Aggregate { function: Some(function), path, alias },
            _ => Item::Aggregate { function: None, path, alias },
        }))
    }

    /// A name, or one within a function.
    fn wrapped(&mut self) -> Result<Path, SoqlError> {
        let path = self.path()?;
        if !self.try_symbol("(") {
            return Ok(path);
        }
        let name = path.text.to_ascii_uppercase();
        let wrap = aggregate(&name).map(Wrap::Aggregate).or_else(|| DatePart::named(&name, false).map(Wrap::Date));
        let wrap = wrap.ok_or_else(|| at(self.soql, path.offset, &format!("unexpected token: '{}'", path.text)))?;
        let inner = self.path()?;
        let local = inner.text.eq_ignore_ascii_case("CONVERT_TIMEZONE") && self.try_symbol("(");
        let (inner, wrap) = match wrap {
            Wrap::Date(_) if local => {
                let inner = self.path()?;
                self.symbol(")")?;
                (inner, DatePart::named(&name, true).map(Wrap::Date))
            }
            wrap => (inner, Some(wrap)),
        };
        self.symbol(")")?;
        Ok(Path { wrap, ..inner })
    }

    fn type_of(&mut self) -> Result<Item, SoqlError> {
        self.keyword("TYPEOF")?;
        let relationship = self.path()?;
        let mut cases = Vec::new();
        while self.try_keyword("WHEN") {
            let object = self.path()?;
            self.keyword("THEN")?;
            cases.push((object, self.paths()?));
        }
        let otherwise = if self.try_keyword("ELSE") { self.paths()? } else { Vec::new() };
        self.keyword("END")?;
        if cases.is_empty() {
            return Err(at(self.soql, relationship.offset, "TYPEOF needs at least one WHEN"));
        }
        Ok(Item::TypeOf(Box::new(TypeOf { relationship, cases, otherwise })))
    }

    fn paths(&mut self) -> Result<Vec<Path>, SoqlError> {
        let mut paths = vec![self.path()?];
        while self.try_symbol(",") {
            paths.push(self.path()?);
        }
        Ok(paths)
    }

    fn alias(&mut self, unless: &[&str]) -> Result<Option<String>, SoqlError> {
        match self.peek() {
            Some(Token::Word(word)) if !unless.iter().any(|clause| word.eq_ignore_ascii_case(clause)) => {
                Ok(Some(self.path()?.text))
            }
            _ => Ok(None),
        }
    }

    fn deeper(&mut self) -> Result<(), SoqlError> {
        self.depth += 1;
        if self.depth <= DEEPEST {
            return Ok(());
        }
        let message = "query is either selecting too many fields or the filter conditions are too complicated.";
        Err(SoqlError { code: "QUERY_TOO_COMPLICATED", message: message.to_owned() })
    }

    /// AND and OR may not be mixed without parentheses.
    fn condition(&mut self) -> Result<Condition, SoqlError> {
        self.deeper()?;
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
            self.deeper()?;
            let negated = self.term()?;
            self.depth -= 1;
            return Ok(Condition::Not(Box::new(negated)));
        }
        if self.try_symbol("(") {
            let condition = self.condition()?;
            self.symbol(")")?;
            return Ok(condition);
        }
        let path = self.wrapped()?;
        if self.try_keyword("IN") {
            return self.list(path, false);
        }
        if self.try_keyword("NOT") {
            self.keyword("IN")?;
            return self.list(path, true);
        }
        for (word, negated) in [("INCLUDES", false), ("EXCLUDES", true)] {
            if self.try_keyword(word) {
                let values = self.literals()?;
                return Ok(Condition::Includes { path, values, negated });
            }
        }
        let operator = self.operator()?;
        let value = self.literal()?;
        Ok(Condition::Compare { path, operator, value })
    }

    fn list(&mut self, path: Path, negated: bool) -> Result<Condition, SoqlError> {
        self.symbol("(")?;
        if self.peek_keyword("SELECT") {
            self.deeper()?;
            let query = Box::new(self.statement()?);
            self.depth -= 1;
            self.symbol(")")?;
            self.semi_joins += 1;
            if self.semi_joins > MOST_SEMI_JOINS {
                let message = format!("Maximum {MOST_SEMI_JOINS} semi join sub-selects are allowed.");
                return Err(at(self.soql, path.offset, &message));
            }
            return Ok(Condition::InQuery { path, query, negated });
        }
        self.at -= 1;
        let values = self.literals()?;
        Ok(Condition::In { path, values, negated })
    }

    fn literals(&mut self) -> Result<Vec<Literal>, SoqlError> {
        self.symbol("(")?;
        let mut values = vec![self.literal()?];
        while self.try_symbol(",") {
            values.push(self.literal()?);
        }
        self.symbol(")")?;
        Ok(values)
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
            Some(Token::Word(word)) => literals::bare(word).ok_or_else(|| self.unexpected())?,
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

    fn path(&mut self) -> Result<Path, SoqlError> {
        match self.tokens.get(self.at) {
            Some((Token::Word(word), offset)) if word.starts_with(|letter: char| letter.is_alphabetic()) => {
                let path = Path { text: word.clone(), offset: *offset, wrap: None };
                self.at += 1;
                Ok(path)
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
            Some((Token::Word(word), offset)) => at(self.soql, *offset, &format!("unexpected token: '{word}'")),
            Some((Token::Text(text), offset)) => at(self.soql, *offset, &format!("unexpected token: '{text}'")),
            Some((Token::Symbol(symbol), offset)) => at(self.soql, *offset, &format!("unexpected token: '{symbol}'")),
            None => SoqlError::malformed("unexpected token: '<EOF>'"),
        }
    }
}

fn aggregate(name: &str) -> Option<Function> {
    Some(match name {
        "COUNT" => Function::Count,
        "COUNT_DISTINCT" => Function::CountDistinct,
        "MIN" => Function::Min,
        "MAX" => Function::Max,
        "SUM" => Function::Sum,
        "AVG" => Function::Average,
        _ => return None,
    })
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
        let texts: Vec<_> =
            statement.items.iter().map(|item| matches!(item, Item::Field(path) if !path.text.is_empty())).collect();
        assert_eq!(texts, [true, true]);
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
