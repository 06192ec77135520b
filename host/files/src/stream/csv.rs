//! Rows of text: `time,A,B,L0,lost`.

use std::io::Write as _;

use super::row::{Row, RowWriter, StreamHeader, Writer};
use crate::WriteError;
use crate::number::push_number;
use crate::writers::csv::{LOST, TIME};
use scopething::atomic::AtomicFile;

struct CsvRows {
    file: AtomicFile,
    header: StreamHeader,
    line: Vec<u8>,
}

pub(super) fn writer(mut file: AtomicFile, header: &StreamHeader) -> Writer {
    write!(file, "{TIME}")?;
    for column in &header.columns {
        write!(file, ",{}", column.name())?;
    }
    writeln!(file, ",{LOST}")?;
    Ok(Box::new(CsvRows { file, header: header.clone(), line: Vec::new() }))
}

impl RowWriter for CsvRows {
    fn write(&mut self, row: &Row) -> Result<(), WriteError> {
        let Self { file, header, line } = self;
        line.clear();
        push_number(header.time_s(row.index), line);
        for (column, &value) in header.columns.iter().zip(&row.values) {
            line.push(b',');
            if column.is_analog() {
                push_number(value, line);
            } else {
                line.push(b'0' + u8::from(value > 0.5));
            }
        }
        match row.lost {
            Some(lost) => writeln!(line, ",{lost}")?,
            None => writeln!(line, ",")?,
        }
        Ok(file.write_all(line)?)
    }

    fn flush(&mut self) -> Result<(), WriteError> {
        Ok(self.file.flush()?)
    }

    fn finish(self: Box<Self>) -> Result<AtomicFile, WriteError> {
        Ok(self.file)
    }
}
