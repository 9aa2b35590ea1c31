//! The native twin: one case per line of standard input, "seed rounds kind"; one digest per line of standard output.
extern crate alloc;

#[path = "src/work/mod.rs"]
mod work;

fn main() {
    for line in std::io::stdin().lines() {
        let line = line.expect("standard input");
        let case: Vec<u64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
        println!("{}", work::run(case[0], case[1], case[2]));
    }
}
