use std::f64::consts::PI;

pub trait Shape: Send + Sync {
    fn name(&self) -> &'static str;
    fn area(&self) -> f64;
}

struct Circle(f64);
struct Rectangle(f64, f64);

impl Shape for Circle {
    fn name(&self) -> &'static str {
        "circle"
    }
    fn area(&self) -> f64 {
        PI * self.0.powi(2)
    }
}

impl Shape for Rectangle {
    fn name(&self) -> &'static str {
        "rectangle"
    }
    fn area(&self) -> f64 {
        self.0 * self.1
    }
}

pub fn parse(line: &str) -> Result<Box<dyn Shape>, String> {
    let (name, rest) = line.split_once(' ').ok_or("no measure")?;
    let measures = rest
        .split_whitespace()
        .map(|word| word.parse::<f64>().map_err(|error| format!("{word}: {error}")))
        .collect::<Result<Vec<_>, _>>()?;
    match (name, measures.as_slice()) {
        ("circle", [radius]) => Ok(Box::new(Circle(*radius))),
        ("rectangle", [width, height]) => Ok(Box::new(Rectangle(*width, *height))),
        _ => Err(format!("{name} with {} measures is unknown", measures.len())),
    }
}
