//! Areas of shapes, worked out by several threads.
mod shapes;

use shapes::{parse, Shape};
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::{mpsc, Arc};
use std::thread;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut shapes: Vec<Box<dyn Shape>> = Vec::new();
    for (number, line) in io::stdin().lock().lines().enumerate() {
        match parse(&line?) {
            Ok(shape) => shapes.push(shape),
            Err(fault) => println!("line {}: {}", number + 1, fault),
        }
    }
    let shapes = Arc::new(shapes);
    let (sender, receiver) = mpsc::channel();
    for worker in 0..3 {
        let (shapes, sender) = (Arc::clone(&shapes), sender.clone());
        thread::spawn(move || {
            for shape in shapes.iter().skip(worker).step_by(3) {
                sender.send((shape.name(), shape.area())).expect("the main thread listens");
            }
        });
    }
    drop(sender);
    let mut by_name: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, area) in receiver {
        by_name.entry(name).or_default().push(area);
    }
    for (name, mut areas) in by_name {
        areas.sort_by(f64::total_cmp);
        let list: Vec<String> = areas.iter().map(|area| format!("{area:.2}")).collect();
        println!("{name}: {} = {:.3}", list.join(" + "), areas.iter().sum::<f64>());
    }
    Ok(())
}
