//! A run: virtual time goes from one event to the next one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{
    flow::{RunningFlow, To},
    link::Bottleneck,
    outcome::{FROM, Outcome, SAMPLE},
    scenario::{SECOND, Scenario},
};

/// Sound that is captured later than this before the end could still be on its way when a run ends.
const ON_THE_WAY: Duration = Duration::from_secs(2);

struct Datagram {
    flow: usize,
    to: To,
    bytes: Vec<u8>,
}

pub(crate) struct Simulation<'a> {
    scenario: &'a Scenario,
    now: Duration,
    end: Duration,
    bottlenecks: [Bottleneck<Datagram>; 2],
    flows: Vec<RunningFlow<'a>>,
    /// Behind their bottleneck, by arrival; the number keeps those in order that arrive together.
    flying: BTreeMap<(Duration, u64), Datagram>,
    sent: u64,
    next_sample: Duration,
    /// Bits that could have arrived since [`FROM`].
    usable: u64,
    /// What happened in each second, while that is asked for.
    trace: Option<String>,
}

impl<'a> Simulation<'a> {
    pub(crate) fn new(scenario: &'a Scenario, seed: u64) -> Self {
        let origin = Instant::now();
        let limit = Duration::from_millis(scenario.queue);
        let flows = scenario.flows.iter().enumerate();
        let flows = flows.map(|(number, flow)| RunningFlow::new(origin, flow, number, seed));
        Self {
            scenario,
            now: Duration::ZERO,
            end: SECOND * u32::try_from(scenario.length).unwrap_or(u32::MAX),
            bottlenecks: [Bottleneck::new(limit), Bottleneck::new(limit)],
            flows: flows.collect(),
            flying: BTreeMap::new(),
            sent: 0,
            next_sample: Duration::ZERO,
            usable: 0,
            trace: None,
        }
    }

    /// What happened in each second: the rates of both bottlenecks, and of each flow the estimate and what
    /// arrived, kbit/s, and the number of the frame that was shown last.
    pub(crate) fn trace(mut self) -> String {
        self.trace = Some(String::new());
        self.play();
        self.trace.unwrap_or_default()
    }

    pub(crate) fn run(mut self) -> Outcome {
        self.play();
        Outcome::new(self.scenario, &self.flows, self.usable, self.queue())
    }

    fn play(&mut self) {
        // In this order: a rate holds for what comes at its moment, and what arrives is answered at once.
        while self.advance() {
            self.sample();
            self.depart();
            self.arrive();
            self.handle_timeouts();
        }
        for flow in &mut self.flows {
            flow.playout.end(self.end);
        }
    }

    /// Goes to the next event; false when that is after the end.
    fn advance(&mut self) -> bool {
        let departures = self.bottlenecks.iter().filter_map(Bottleneck::poll_timeout);
        let timeouts = self.flows.iter().filter_map(RunningFlow::poll_timeout);
        let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
        let next = departures.chain(timeouts).chain(arrival).min();
        let next = next.map_or(self.next_sample, |next| next.min(self.next_sample));
        self.now = next.max(self.now);
        self.now < self.end
    }

    fn depart(&mut self) {
        for number in 0..self.bottlenecks.len() {
            let now = self.now;
            let pop = |this: &mut Self| this.bottlenecks.get_mut(number)?.pop(now);
            while let Some(datagram) = pop(self) {
                let flow = self.flows.get_mut(datagram.flow);
                if let Some(arrival) = flow.and_then(|flow| flow.pass(now, datagram.to)) {
                    self.sent += 1;
                    self.flying.insert((arrival, self.sent), datagram);
                }
            }
        }
    }

    fn arrive(&mut self) {
        let now = self.now;
        while let Some(entry) = self
            .flying
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            let Datagram { flow, to, bytes } = entry.remove();
            if let Some(running) = self.flows.get_mut(flow) {
                let sent = running.on_datagram(now, to, bytes);
                self.send(flow, sent);
            }
        }
    }

    fn handle_timeouts(&mut self) {
        let last = self.now + ON_THE_WAY >= self.end;
        for number in 0..self.flows.len() {
            let now = self.now;
            if let Some(flow) = self.flows.get_mut(number)
                && flow.poll_timeout().is_some_and(|due| due <= now)
            {
                let sent = flow.on_timeout(now, last);
                self.send(number, sent);
            }
        }
    }

    fn send(&mut self, flow: usize, sent: Vec<(To, Vec<u8>)>) {
        for (to, bytes) in sent {
            let bottleneck = self
                .flows
                .get(flow)
                .map_or(0, |flow| flow.bottleneck_to(to));
            if let Some(bottleneck) = self.bottlenecks.get_mut(bottleneck) {
                let length = bytes.len();
                bottleneck.push(self.now, length, Datagram { flow, to, bytes });
            }
        }
    }

    /// Sets the rates of the moment, and measures.
    fn sample(&mut self) {
        if self.next_sample > self.now {
            return;
        }
        self.next_sample += SAMPLE;
        if self.now.subsec_millis() == 0 {
            self.write_trace();
        }
        let second = self.now.as_secs();
        for direction in 0..self.bottlenecks.len() {
            let rate = self.scenario.rate_at(direction, second);
            let rate = rate.map(|rate| rate * 1000);
            if let Some(bottleneck) = self.bottlenecks.get_mut(direction) {
                bottleneck.set_rate(rate.unwrap_or(0));
            }
            self.sample_flows(direction, rate);
        }
    }

    /// `rate`: of the bottleneck of this direction, bit/s.
    fn sample_flows(&mut self, direction: usize, rate: Option<u64>) {
        let now = self.now;
        let of_direction = |flow: &&RunningFlow<'_>| flow.direction() == direction;
        let flows = self.flows.iter().filter(of_direction);
        let demands: Vec<u64> = flows.filter_map(|flow| flow.demand(now)).collect();
        let demanded: u64 = demands.iter().sum();
        let usable = rate.map_or(demanded, |rate| rate.min(demanded));
        if now >= FROM {
            self.usable += usable * u64::try_from(SAMPLE.as_millis()).unwrap_or(0) / 1000;
        }
        // All flows of a scenario want the same, so that the fair share of each is the same.
        let share = usable.checked_div(u64::try_from(demands.len()).unwrap_or(0));
        for number in 0..self.flows.len() {
            let flow = self.flows.get_mut(number);
            if let Some(flow) = flow.filter(|flow| flow.direction() == direction) {
                let share = share.filter(|_| flow.demand(now).is_some());
                let sent = flow.sample(now, share);
                self.send(number, sent);
            }
        }
    }

    fn write_trace(&mut self) {
        let second = self.now.as_secs();
        let Some(trace) = &mut self.trace else { return };
        let rates = [0, 1].map(|direction| self.scenario.rate_at(direction, second).unwrap_or(0));
        let [there, back] = rates;
        let mut line = format!("{second:4} s  rates {there:5} {back:5}");
        for flow in &mut self.flows {
            line.push_str(&flow.trace(self.now));
        }
        trace.push_str(&line);
        trace.push('\n');
    }

    /// Of the bottlenecks that have media: the longer queue, ms.
    fn queue(&self) -> u64 {
        let queues = self.bottlenecks.iter().enumerate();
        let with_media = queues
            .filter(|(direction, _)| self.flows.iter().any(|flow| flow.direction() == *direction));
        with_media
            .map(|(_, queue)| queue.wait_p95())
            .max()
            .unwrap_or(0)
    }
}
