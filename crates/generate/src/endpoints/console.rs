//! What containers print.

use std::fmt::Write as _;

use super::{Context, Request};
use crate::calendar::seconds;
use crate::catalogue::ModelInput;
use crate::record::Log;
use crate::rng::Rng;

/// The share of usual requests that a container prints a line of.
const ACCESS_SHARE: f64 = 0.15;
/// The share of requests whose input is printed, where it is printed at all.
const INPUT_SHARE: f64 = 0.25;

const IMAGE: &str = "contosoml.example/inference/ubuntu2204-py311-cpu:20261104";

impl Context<'_> {
    /// What is printed on a request that came at `printed`.
    pub(super) fn print(
        &self,
        request: &Request<'_>,
        printed: String,
        id: &str,
        rng: &mut Rng,
        log: &mut Log,
    ) {
        let worker = 60 + rng.below(8);
        let (draw, input_draw) = (rng.unit(), rng.unit());
        if request.model_code == 0 {
            return;
        }
        if let Some(input) = self.input
            && request.model_code == 200
            && input_draw < INPUT_SHARE
        {
            let data = input_data(input, rng);
            let model = &input.model;
            let message = format!(
                "{printed} I [{worker}] azmlinfsrv.user_script - online/{model}/1 | {id} | InputData | {data}"
            );
            self.line(
                request.deployment,
                request.time + seconds(0.002),
                &message,
                rng,
                log,
            );
        }
        let message = match request.model_code {
            200 if draw >= ACCESS_SHARE => return,
            200 => format!(
                "{printed} I [{worker}] azmlinfsrv - POST /score 200 {:.3}ms {}",
                request.duration_ms,
                120 + rng.below(400)
            ),
            400 => format!(
                "{printed} W [{worker}] azmlinfsrv.user_script - Bad input: missing column 'tenure_months' in request {id}"
            ),
            code => format!(
                "{printed} E [{worker}] azmlinfsrv - Encountered Exception: Traceback (most recent call last):\n  \
                 File \"/var/azureml-app/score.py\", line 41, in run\n    result = model.predict(frame)\n\
                 ValueError: Input contains NaN\nPOST /score {code} in request {id}"
            ),
        };
        let answered = seconds(request.duration_ms.max(3.0) / 1_000.0);
        self.line(
            request.deployment,
            request.time + answered,
            &message,
            rng,
            log,
        );
    }

    /// What is printed when a container starts.
    pub(super) fn print_start(&self, deployment: &str, time: i64, rng: &mut Rng, log: &mut Log) {
        let model = &self.endpoint.model;
        for (offset, container, message) in [
            (
                -12.0,
                "storage-initializer",
                format!("Downloading model {model} to /var/azureml-app"),
            ),
            (
                -4.0,
                "storage-initializer",
                "Downloaded 3 files in 7.9 s".to_owned(),
            ),
            (
                1.0,
                "inference-server",
                "Azure ML Inferencing HTTP server v1.4.0".to_owned(),
            ),
            (
                6.0,
                "inference-server",
                format!("Loaded model {model}, version 1"),
            ),
            (
                7.0,
                "inference-server",
                "Listening at http://127.0.0.1:31311".to_owned(),
            ),
        ] {
            let instance = self.instance(deployment, rng);
            self.console(
                log,
                time + seconds(offset),
                deployment,
                &instance,
                container,
                &message,
            );
        }
    }

    fn line(&self, deployment: &str, time: i64, message: &str, rng: &mut Rng, log: &mut Log) {
        let instance = self.instance(deployment, rng);
        // Nothing was printed after now.
        let time = time.min(self.world.now);
        self.console(
            log,
            time,
            deployment,
            &instance,
            "inference-server",
            message,
        );
    }

    fn console(
        &self,
        log: &mut Log,
        time: i64,
        deployment: &str,
        instance: &str,
        container: &str,
        message: &str,
    ) {
        let (record, _) = self.record(log, "AmlOnlineEndpointConsoleLog", time, "ContainerLog");
        record
            .properties()
            .text("InstanceId", instance)
            .text("DeploymentName", deployment)
            .text("ContainerName", container)
            .text("ContainerImageName", IMAGE)
            .text("Message", message)
            .end();
    }
}

/// `{"data": [{…}, …]}`.
fn input_data(input: &ModelInput, rng: &mut Rng) -> String {
    let mut data = String::from("{\"data\": [");
    for row in 0..1 + rng.below(3) {
        if row > 0 {
            data.push_str(", ");
        }
        let mut separator = '{';
        for (name, (low, high)) in &input.numbers {
            let _ = write!(data, "{separator}\"{name}\": {}", rng.between(*low, *high));
            separator = ',';
        }
        for (name, words) in &input.words {
            let _ = write!(data, "{separator}\"{name}\": \"{}\"", rng.word(words));
            separator = ',';
        }
        data.push('}');
    }
    data.push_str("]}");
    data
}
